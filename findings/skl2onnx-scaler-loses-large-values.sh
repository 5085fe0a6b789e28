#!/usr/bin/env bash
# A scikit-learn pipeline of StandardScaler and a classifier that is right on 99 % of its rows is a coin toss after
# skl2onnx: the converted graph subtracts the mean in 32-bit floats, where second counts of 2026 come in steps of 128.
# Counters and register values above 2^24 suffer likewise. The conversion warns of nothing; converted for double input
# the same pipeline is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 skl2onnx==1.20.0 onnxruntime==1.32.0 onnx==1.23.2 'protobuf<7' numpy==2.4.6 scipy==1.17.1
cat >want <<'END'
skl2onnx 1.20.0 onnxruntime 1.32.0 scikit-learn 1.9.1
scikit-learn  right > 0.98
onnx float32  right < 0.6
onnx float64  right > 0.98
END
venv/bin/python - >got <<'END'
import warnings

warnings.filterwarnings("ignore")
import numpy as np, onnxruntime as ort, skl2onnx, sklearn
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ort.set_default_logger_severity(3)
print("skl2onnx", skl2onnx.__version__, "onnxruntime", ort.__version__, "scikit-learn", sklearn.__version__)
x = 1785406500 + np.random.default_rng(1).integers(0, 60, (400, 1)).astype(float)
y = (x[:, 0] > 1785406530).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
print(f"scikit-learn  right {'> 0.98' if model.score(x, y) > 0.98 else model.score(x, y)}")
for kind in (np.float32, np.float64):
    onnx = to_onnx(model, x[:1].astype(kind), options={"zipmap": False})
    labels = ort.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"X": x.astype(kind)})[
        0
    ]
    right = (labels == y).mean()
    print(f"onnx {kind.__name__:8} right {'> 0.98' if right > 0.98 else '< 0.6' if right < 0.6 else right}")
END
cat got
diff want got && echo "unchanged"
