#!/usr/bin/env bash
# One constant column in the training data makes pyod's PCA detector useless and silent: every score is infinite, the
# threshold is not a number, and nothing is ever an outlier.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 numba==0.68.1
venv/bin/pip install -q --disable-pip-version-check --no-deps pyod==3.6.7
cat >want <<'END'
pyod 3.6.7
two varying columns  threshold is a number, score of a wild row is finite, outlier: True
and a constant one   threshold is nan, score of a wild row is infinite, outlier: False
END
venv/bin/python - >got <<'END'
import warnings
import numpy as np, pyod
from pyod.models.pca import PCA

warnings.filterwarnings("ignore")
print("pyod", pyod.version.__version__)
rng = np.random.default_rng(0)
varied = rng.normal(100, 5, (1000, 2))
for name, x in (("two varying columns", varied), ("and a constant one", np.c_[varied, np.full(1000, 3.0)])):
    model = PCA().fit(x)
    wild = np.full((1, x.shape[1]), 1e6)
    threshold, score = model.threshold_, model.decision_function(wild)[0]
    print(f"{name:20} threshold is {'a number' if np.isfinite(threshold) else threshold}, ", end="")
    print(f"score of a wild row is {'finite' if np.isfinite(score) else 'infinite'}, outlier: {bool(model.predict(wild)[0])}")
END
cat got
diff want got && echo "unchanged"
