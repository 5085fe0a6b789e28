#!/usr/bin/env bash
# The same numbers as a dense array and as a scipy CSR matrix get different answers from XGBoost: a zero that a sparse
# matrix does not store counts as missing and takes the default branch. A model trained on dense rows and served from
# one-hot or bag-of-words features in CSR form is wrong wherever 0 matters. LightGBM gives one answer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 lightgbm==4.7.0
venv/bin/pip install -q --disable-pip-version-check --no-deps xgboost-cpu==3.2.0
cat >want <<'END'
xgboost 3.2.0 lightgbm 4.7.0
XGBClassifier  accuracy dense 1.00  CSR 0.65
LGBMClassifier accuracy dense 1.00  CSR 1.00
END
venv/bin/python - >got <<'END'
import warnings
import lightgbm, numpy as np, scipy.sparse as sp, xgboost

warnings.filterwarnings("ignore")
print("xgboost", xgboost.__version__, "lightgbm", lightgbm.__version__)
rng = np.random.default_rng(0)
x = rng.integers(0, 3, (400, 2)).astype(float)
y = (x[:, 0] == 0).astype(int)
for model in (xgboost.XGBClassifier(n_estimators=5, max_depth=2), lightgbm.LGBMClassifier(n_estimators=50, verbose=-1)):
    model.fit(x, y)
    print(f"{type(model).__name__:14} accuracy dense {model.score(x, y):.2f}  CSR {model.score(sp.csr_matrix(x), y):.2f}")
END
cat got
diff want got && echo "unchanged"
