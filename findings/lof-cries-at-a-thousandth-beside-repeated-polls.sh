#!/usr/bin/env bash
# Local outlier factor divides by the distance to the neighbours, and polls repeat: where 20 training rows are equal
# that distance is 0. A row that differs by a thousandth of a register from 100 equal ones scores ten million times
# worse than normal and is an outlier; a row far from the busy places, in a region that varied, is not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cat >want <<'END'
scikit-learn 1.9.1
equal to the polls                  normal, score -1
a thousandth beside                 outlier, score -1e+07
among the varied, 5 off the centre  normal, score -1
END
venv/bin/python - >got <<'END'
import warnings
import numpy as np, sklearn
from sklearn.neighbors import LocalOutlierFactor

warnings.filterwarnings("ignore")
print("scikit-learn", sklearn.__version__)
polls = np.repeat([[10.0, 20.0], [10.0, 21.0]], 100, axis=0)
varied = np.random.default_rng(0).normal([50, 50], 5, (200, 2))
model = LocalOutlierFactor(novelty=True).fit(np.r_[polls, varied])
for name, row in (
    ("equal to the polls", [10, 20]),
    ("a thousandth beside", [10, 20.001]),
    ("among the varied, 5 off the centre", [50, 55]),
):
    print(f"{name:35} {'outlier' if model.predict([row])[0] < 0 else 'normal'}, score {model.score_samples([row])[0]:.1g}")
END
cat got
diff want got && echo "unchanged"
