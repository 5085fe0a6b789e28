"""PyTorch and Keras nets as ONNX with golden samples from onnxruntime.  usage: exchange_frameworks.py torch|keras DIR"""
import json, sys
from pathlib import Path
import numpy as np

what, out = sys.argv[1], Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
d, k = 9, 3
rng = np.random.default_rng(5)
probe = rng.normal(size=(200, d)).astype(np.float32) * 3


def save(name, path):
    import onnxruntime as ort
    s = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    y = s.run(None, {s.get_inputs()[0].name: probe})[0]
    samples = [{"input": [float(v) for v in r], "output": [float(v) for v in o]} for r, o in zip(probe, y)]
    classes = [str(i) for i in range(y.shape[1])] if y.shape[1] > 1 and y.shape[1] != d else []
    (out / f"{name}.schema.json").write_text(json.dumps({"features": [f"f{i}" for i in range(d)], "classes": classes, "samples": samples}))


if what == "torch":
    import torch
    torch.manual_seed(1)
    net = lambda *layers: torch.nn.Sequential(*layers).eval()
    nets = {
        "torch-mlp": net(torch.nn.Linear(d, 24), torch.nn.ReLU(), torch.nn.BatchNorm1d(24), torch.nn.Linear(24, k), torch.nn.Softmax(dim=1)),
        "torch-gelu": net(torch.nn.Linear(d, 16), torch.nn.GELU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, k), torch.nn.Softmax(dim=1)),
        "torch-autoencoder": net(torch.nn.Linear(d, 4), torch.nn.Tanh(), torch.nn.Linear(4, d)),
    }
    for name, m in nets.items():
        path = out / f"{name}.onnx"
        torch.onnx.export(m, (torch.zeros(2, d),), str(path), dynamo=True, external_data=False, dynamic_shapes=({0: torch.export.Dim("batch")},))
        save(name, path)
else:
    import keras
    keras.utils.set_random_seed(1)
    m = keras.Sequential([keras.Input((d,)), keras.layers.Dense(24, activation="relu"), keras.layers.BatchNormalization(),
                          keras.layers.Dense(12, activation="selu"), keras.layers.Dense(k, activation="softmax")])
    m(np.zeros((2, d), np.float32))
    m.export(str(out / "keras-mlp.onnx"), format="onnx")
    save("keras-mlp", out / "keras-mlp.onnx")
