#!/usr/bin/env bash
# scikit-learn's trees and forests and XGBoost look at every feature as a 32-bit float, whatever the caller hands over.
# Second counts, byte counters and register values above 2^24 that differ by up to 64 are one value to them, without a
# warning: a split between two seconds of 2026 cannot be learnt. LightGBM and HistGradientBoosting, used side by side
# with them, can.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 lightgbm==4.7.0
venv/bin/pip install -q --disable-pip-version-check --no-deps xgboost-cpu==3.2.0
cat >want <<'END'
scikit-learn 1.9.1 lightgbm 4.7.0 xgboost 3.2.0
DecisionTreeClassifier           right on its own training rows: 0.50
RandomForestClassifier           right on its own training rows: 0.50
XGBClassifier                    right on its own training rows: 0.50
LGBMClassifier                   right on its own training rows: 1.00
HistGradientBoostingClassifier   right on its own training rows: 1.00
END
venv/bin/python - >got <<'END'
import warnings
import lightgbm, numpy as np, sklearn, xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
print("scikit-learn", sklearn.__version__, "lightgbm", lightgbm.__version__, "xgboost", xgboost.__version__)
x = np.tile([[1785406530.0], [1785406531.0]], (100, 1))
y = np.tile([0, 1], 100)
for model in (
    DecisionTreeClassifier(),
    RandomForestClassifier(random_state=0),
    xgboost.XGBClassifier(n_estimators=20),
    lightgbm.LGBMClassifier(verbose=-1),
    HistGradientBoostingClassifier(),
):
    print(f"{type(model).__name__:32} right on its own training rows: {model.fit(x, y).score(x, y):.2f}")
END
cat got
diff want got && echo "unchanged"
