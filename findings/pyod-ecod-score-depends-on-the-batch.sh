#!/usr/bin/env bash
# ECOD and COPOD of pyod score a row against the training data and the rows scored along with it. The same row is an
# outlier when it comes alone and normal within a batch of attack rows: a flood hides itself, and scores stored from
# batches of other sizes cannot be compared with the threshold. KNN and HBOS do not do so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 numba==0.68.1 matplotlib==3.11.2
venv/bin/pip install -q --disable-pip-version-check --no-deps pyod==3.6.7
cat >want <<'END'
pyod 3.6.7
ECOD   the row alone: outlier, the same row among 2000 others: normal
COPOD  the row alone: outlier, the same row among 2000 others: normal
HBOS   the row alone: outlier, the same row among 2000 others: outlier
KNN    the row alone: outlier, the same row among 2000 others: outlier
END
venv/bin/python - >got <<'END'
import warnings
import numpy as np, pyod
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.knn import KNN

warnings.filterwarnings("ignore")
print("pyod", pyod.version.__version__)
rng = np.random.default_rng(0)
train, row, flood = rng.normal(0, 1, (500, 2)), np.array([[3.0, 3.0]]), rng.normal(6, 0.1, (2000, 2))
for model in (ECOD(), COPOD(), HBOS(), KNN()):
    model.fit(train)
    alone, within = model.predict(row)[0], model.predict(np.r_[row, flood])[0]
    print(
        f"{type(model).__name__:6} the row alone: {'outlier' if alone else 'normal'}, the same row among 2000 others: {'outlier' if within else 'normal'}"
    )
END
cat got
diff want got && echo "unchanged"
