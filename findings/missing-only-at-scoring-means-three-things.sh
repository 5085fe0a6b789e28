#!/usr/bin/env bash
# A feature that was never missing in training is missing at scoring time (a sensor lost it). XGBoost sends the row down
# a default branch that no data chose, LightGBM takes it for 0, HistGradientBoosting for the larger side, and none says
# so. Here a normal load is around 100 and an alarm above 110: XGBoost is certain of an attack, the others that all is
# well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 lightgbm==4.7.0
venv/bin/pip install -q --disable-pip-version-check --no-deps xgboost-cpu==3.2.0
cat >want <<'END'
xgboost 3.2.0 lightgbm 4.7.0 scikit-learn 1.9.1
attack is above 110  value missing: XGBClassifier                  says attack
attack is above 110  value missing: LGBMClassifier                 says normal
attack is above 110  value missing: HistGradientBoostingClassifier says normal
attack is below 90   value missing: XGBClassifier                  says normal
attack is below 90   value missing: LGBMClassifier                 says attack
attack is below 90   value missing: HistGradientBoostingClassifier says normal
END
venv/bin/python - >got <<'END'
import warnings
import lightgbm, numpy as np, sklearn, xgboost
from sklearn.ensemble import HistGradientBoostingClassifier

warnings.filterwarnings("ignore")
print("xgboost", xgboost.__version__, "lightgbm", lightgbm.__version__, "scikit-learn", sklearn.__version__)
load = np.random.default_rng(0).normal(100, 10, (2000, 1))
for rule, y in (("above 110", load[:, 0] > 110), ("below 90", load[:, 0] < 90)):
    for model in (xgboost.XGBClassifier(), lightgbm.LGBMClassifier(verbose=-1), HistGradientBoostingClassifier()):
        model.fit(load, y.astype(int))
        p = model.predict_proba([[np.nan]])[0, 1]
        print(f"attack is {rule:9}  value missing: {type(model).__name__:30} says {'attack' if p > 0.5 else 'normal'}")
END
cat got
diff want got && echo "unchanged"
