#!/usr/bin/env bash
# shap's TreeExplainer takes an isolation forest without a word and explains the mean path length, not the score: the
# sum is no decision_function value, and the sign is turned round against "contribution to the anomaly": the guilty
# feature comes out negative, the innocent ones positive. Ranked downwards as for any classifier, the reason of the
# alarm is last.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 \
  numba==0.68.1 tqdm==4.70.1 slicer==0.0.8 cloudpickle==3.1.3 packaging==26.4 typing_extensions==4.16.0
venv/bin/pip install -q --disable-pip-version-check --no-deps shap==0.51.0
cat >want <<'END'
shap 0.51.0 scikit-learn 1.9.1
contributions, signs: ['-', '+', '+'] highest: feature 2 lowest: feature 0
they add up to a path of some 8 steps; decision_function says -0.1
END
venv/bin/python - >got <<'END'
import warnings

warnings.filterwarnings("ignore")
import numpy as np, shap, sklearn
from sklearn.ensemble import IsolationForest

print("shap", shap.__version__, "scikit-learn", sklearn.__version__)
x = np.random.default_rng(0).normal(size=(1000, 3))
forest = IsolationForest(random_state=0).fit(x)
row = np.array([[6.0, 0.0, 0.0]])  # only the first feature is odd
explainer = shap.TreeExplainer(forest)
values = explainer.shap_values(row)[0]
total = float(values.sum() + np.ravel(explainer.expected_value)[0])
print(
    "contributions, signs:",
    ["+" if v > 0 else "-" for v in values],
    "highest:",
    f"feature {values.argmax()}",
    "lowest:",
    f"feature {values.argmin()}",
)
print(
    "they add up to a path of some",
    round(total),
    "steps; decision_function says",
    round(float(forest.decision_function(row)[0]), 1),
)
END
cat got
diff want got && echo "unchanged"
