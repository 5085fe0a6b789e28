#!/usr/bin/env bash
# With LightGBM and HistGradientBoosting as they come, 19 rows of an attack and 19 normal ones that one number tells apart teach
# nothing: every leaf needs 20 rows, so no split is made, every probability is 0.5, no error is raised.
# With 20 and 20 the model is perfect. XGBoost and a forest learn either. Labelled OT attacks rarely come in twenties.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 lightgbm==4.7.0
venv/bin/pip install -q --disable-pip-version-check --no-deps xgboost-cpu==3.2.0
cat >want <<'END'
lightgbm 4.7.0 scikit-learn 1.9.1 xgboost 3.2.0
19+19 rows: LGBMClassifier                 normal 0.5, attack 0.5
19+19 rows: HistGradientBoostingClassifier normal 0.5, attack 0.5
19+19 rows: XGBClassifier                  normal 0.0, attack 1.0
20+20 rows: LGBMClassifier                 normal 0.0, attack 1.0
20+20 rows: HistGradientBoostingClassifier normal 0.0, attack 1.0
20+20 rows: XGBClassifier                  normal 0.0, attack 1.0
END
venv/bin/python - >got <<'END'
import warnings
import lightgbm, numpy as np, sklearn, xgboost
from sklearn.ensemble import HistGradientBoostingClassifier

warnings.filterwarnings("ignore")
print("lightgbm", lightgbm.__version__, "scikit-learn", sklearn.__version__, "xgboost", xgboost.__version__)
for n in (19, 20):
    x, y = np.repeat([[0.0], [1.0]], n, axis=0), np.repeat([0, 1], n)
    for model in (lightgbm.LGBMClassifier(verbose=-1), HistGradientBoostingClassifier(), xgboost.XGBClassifier()):
        p = model.fit(x, y).predict_proba([[0.0], [1.0]])[:, 1]
        print(f"{n}+{n} rows: {type(model).__name__:30} normal {p[0]:.1f}, attack {p[1]:.1f}")
END
cat got
diff want got && echo "unchanged"
