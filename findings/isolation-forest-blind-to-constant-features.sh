#!/usr/bin/env bash
# A feature that never varied in training cannot raise an isolation forest's score, nor that of a histogram detector: no
# split uses it. Traffic between SCADA and PLC is full of such features, and the interesting attack is the first change
# of one: here function code 3 in all 2,000 training rows, then a 90. Both detectors give it the score of a normal row;
# nearest neighbours in the same library see it at once.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 numba==0.68.1
venv/bin/pip install -q --disable-pip-version-check --no-deps pyod==3.6.7
cat >want <<'END'
scikit-learn 1.9.1 pyod 3.6.7
scikit-learn IsolationForest, same score: True label 1
pyod IForest  same score: True, outlier: 0
pyod HBOS     same score: True, outlier: 0
pyod KNN      same score: False, outlier: 1
END
venv/bin/python - >got <<'END'
import warnings
import numpy as np, pyod, sklearn
from pyod.models.hbos import HBOS
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest

warnings.filterwarnings("ignore")
print("scikit-learn", sklearn.__version__, "pyod", pyod.version.__version__)
rng = np.random.default_rng(0)
x = np.c_[np.full(2000, 3.0), rng.normal(100, 5, 2000), rng.normal(10, 1, 2000)]
normal, attack = np.array([[3, 100, 10.0]]), np.array([[90, 100, 10.0]])
forest = IsolationForest(random_state=0).fit(x)
print(
    "scikit-learn IsolationForest, same score:",
    forest.score_samples(normal)[0] == forest.score_samples(attack)[0],
    "label",
    forest.predict(attack)[0],
)
for detector in (IForest(random_state=0), HBOS(), KNN()):
    detector.fit(x)
    print(
        f"pyod {type(detector).__name__:8} same score: {detector.decision_function(normal)[0] == detector.decision_function(attack)[0]}, outlier: {detector.predict(attack)[0]}"
    )
END
cat got
diff want got && echo "unchanged"
