"""Models of scikit-learn, LightGBM, XGBoost (and PyTorch, Keras where installed) with golden samples from their own runtime; or checks our export.

usage: exchange.py make DIR           writes NAME.onnx|json|txt and NAME.schema.json, and bad/ with what must be refused
       exchange.py check F.onnx DATA.csv SCORES.csv [WORDS,…]   our export in onnxruntime against `gridwarden score` on all rows
       exchange.py data DIR           writes numbers.csv (two classes), words.csv (three classes, with words)
"""
import csv, json, sys
from pathlib import Path
import numpy as np


def rows(n, d, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)).astype(np.float32) * np.linspace(0.5, 20, d, dtype=np.float32)
    return x


def golden(name, out, x, y, features, classes, **more):
    samples = [{"input": [None if np.isnan(v) else float(v) for v in r], "output": [float(v) for v in np.atleast_1d(o)]}
               for r, o in zip(x, y)]
    schema = {"features": features, "classes": classes, "samples": samples, **more}
    (out / f"{name}.schema.json").write_text(json.dumps(schema))


def run(path, x):
    import onnxruntime as ort
    s = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = s.run(None, {s.get_inputs()[0].name: x})
    return got[-1] if len(got) > 1 else got[0]


def make(out):
    import lightgbm, xgboost, onnx
    from skl2onnx import to_onnx
    from sklearn.ensemble import IsolationForest, RandomForestClassifier, GradientBoostingClassifier, ExtraTreesRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler, MinMaxScaler, Normalizer
    from sklearn.tree import DecisionTreeClassifier
    d = 9
    x = rows(1500, d, 1)
    two = ((x[:, 0] * 3 + x[:, 4] > 1) ^ (x[:, 7] > 4)).astype(int)
    three = (x[:, 0] > 0).astype(int) + (x[:, 3] > 2).astype(int)
    probe = rows(200, d, 2)
    features = [f"f{i}" for i in range(d)]
    names = {2: ["0", "1"], 3: ["0", "1", "2"]}
    target = {"": 17, "ai.onnx.ml": 3}
    plain = {"zipmap": False}
    cases = {
        "sk-tree": (DecisionTreeClassifier(max_depth=6, random_state=1), two),
        "sk-forest": (RandomForestClassifier(n_estimators=20, max_depth=8, random_state=1), three),
        "sk-boosting": (GradientBoostingClassifier(n_estimators=25, random_state=1), two),
        "sk-logistic": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)), two),
        "sk-logistic3": (make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=500)), three),
        "sk-mlp": (make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(24, 12), max_iter=80, random_state=1)), three),
        "sk-normal": (make_pipeline(Normalizer(), MLPClassifier(hidden_layer_sizes=(12,), activation="tanh", max_iter=60, random_state=1)), two),
        "sk-impute": (make_pipeline(SimpleImputer(), RandomForestClassifier(n_estimators=10, max_depth=6, random_state=1)), two),
    }
    for name, (model, y) in cases.items():
        model.fit(x, y)
        last = model.steps[-1][1] if hasattr(model, "steps") else model
        onx = to_onnx(model, x[:1], target_opset=target, options={id(last): plain})
        path = out / f"{name}.onnx"
        path.write_bytes(onx.SerializeToString())
        p = probe.copy()
        if name == "sk-impute":
            p[::3, 1] = np.nan
        golden(name, out, p, run(path, p), features, names[len(set(y))], normal="0", threshold=0.5)
    # With a ZipMap, as it comes without options.
    zipped = RandomForestClassifier(n_estimators=5, max_depth=4, random_state=1).fit(x, two)
    (out / "sk-zipmap.onnx").write_bytes(to_onnx(zipped, x[:1], target_opset=target).SerializeToString())
    golden("sk-zipmap", out, probe, zipped.predict_proba(probe), features, names[2], normal="0")
    for name, model in {"sk-regressor": ExtraTreesRegressor(n_estimators=8, max_depth=6, random_state=1), "sk-mlp-regressor": MLPRegressor(hidden_layer_sizes=(10,), max_iter=60, random_state=1)}.items():
        model.fit(x, x[:, 0] * 2 + x[:, 1])
        path = out / f"{name}.onnx"
        path.write_bytes(to_onnx(model, x[:1], target_opset=target).SerializeToString())
        golden(name, out, probe, run(path, probe), features, [])
    forest = IsolationForest(n_estimators=20, random_state=1).fit(x)
    path = out / "sk-iforest.onnx"
    path.write_bytes(to_onnx(forest, x[:1], target_opset=target).SerializeToString())
    golden("sk-iforest", out, probe, run(path, probe), features, [])
    # LightGBM and XGBoost: their own formats, and ONNX by onnxmltools.
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType
    kinds = [("", None, [("input", FloatTensorType([None, d]))])]
    for y, tag in [(two, "2"), (three, "3")]:
        holes = x.copy()
        holes[::7, 2] = np.nan
        p = probe.copy()
        p[::5, 2] = np.nan
        lgb = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=15, verbose=-1, random_state=1).fit(holes, y)
        lgb.booster_.save_model(str(out / f"lightgbm-{tag}.txt"))
        golden(f"lightgbm-{tag}", out, p, lgb.predict_proba(p), [], names[len(set(y))], normal="0")
        xgb = xgboost.XGBClassifier(n_estimators=20, max_depth=5, random_state=1).fit(holes, y)
        xgb.save_model(str(out / f"xgboost-{tag}.json"))
        golden(f"xgboost-{tag}", out, p, xgb.predict_proba(p), features, names[len(set(y))], normal="0")
        for lib, convert, model in [("lightgbm", onnxmltools.convert_lightgbm, lgb), ("xgboost", onnxmltools.convert_xgboost, xgb)]:
            more = {"zipmap": False} if lib == "lightgbm" else {}
            try:
                onx = convert(model, initial_types=kinds[0][2], target_opset=15, **more)
            except Exception as e:  # the converter, not the model
                print(f"not made: {lib}-{tag}.onnx: {type(e).__name__}: {str(e)[:90]}")
                continue
            path = out / f"{lib}-onnx-{tag}.onnx"
            path.write_bytes(onx.SerializeToString())
            golden(f"{lib}-onnx-{tag}", out, p, run(path, p), features, names[len(set(y))], normal="0")
    bad = out / "bad"
    bad.mkdir(exist_ok=True)
    good = onnx.load(out / "sk-forest.onnx")
    schema = json.loads((out / "sk-forest.schema.json").read_text())

    def wrong(name, model, schema=schema):
        (bad / f"{name}.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        (bad / f"{name}.schema.json").write_text(json.dumps(schema))

    wrong("wrong-shape", good, {**schema, "features": schema["features"][:-1], "samples": []})
    m = onnx.ModelProto(); m.CopyFrom(good)
    for o in m.opset_import:
        o.version = 99
    wrong("wrong-opset", m)
    m = onnx.ModelProto(); m.CopyFrom(good); m.graph.node[0].op_type = "SVMClassifier"
    wrong("missing-operator", m)
    m = onnx.ModelProto(); m.CopyFrom(good)
    for a in m.graph.node[0].attribute:
        if a.name == "nodes_truenodeids":
            a.ints[0] = 10**6
    wrong("child-out-of-range", m)
    m = onnx.ModelProto(); m.CopyFrom(good)
    for a in m.graph.node[0].attribute:
        if a.name == "nodes_falsenodeids":
            a.ints[0] = 0
    wrong("ring", m)
    wrong("wrong-result", good, {**schema, "samples": [{**schema["samples"][0], "output": [0.1, 0.2, 0.7]}]})
    wrong("cut", good.SerializeToString()[:2000])
    wrong("no-model", b"not a model at all")
    with open(bad / "oversized.onnx", "wb") as f:
        f.truncate(300 << 20)
    (bad / "oversized.schema.json").write_text(json.dumps(schema))


def data(out):
    rng = np.random.default_rng(7)
    n = 4000
    x = rows(n, 8, 3)
    x[rng.random(x.shape) < 0.03] = np.nan
    attack = (np.nan_to_num(x[:, 0]) * 2 + np.nan_to_num(x[:, 5]) > 3) | (rng.random(n) < 0.02)
    with open(out / "numbers.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow([f"f{i}" for i in range(8)] + ["label"])
        for r, a in zip(x, attack):
            w.writerow(["" if np.isnan(v) else repr(float(v)) for v in r] + ["attack" if a else "normal"])
    service = rng.choice(["modbus", "dnp3", "http", "dns", "goose"], n)
    state = rng.choice(["SF", "S0", "REJ"], n)
    kind = np.where((service == "http") & (state == "S0"), "scan", np.where(np.nan_to_num(x[:, 2]) > 6, "flood", "normal"))
    with open(out / "words.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["a", "service", "b", "state", "c", "label"])
        for r, s, t, k in zip(x, service, state, kind):
            w.writerow(["" if np.isnan(v) else repr(float(v)) for v in r[:1]] + [s] + ["" if np.isnan(r[1]) else repr(float(r[1]))] + [t]
                       + ["" if np.isnan(r[2]) else repr(float(r[2])), k])


def check(model, table, scores):
    import onnxruntime as ort
    s = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    with open(table) as f:
        lines = list(csv.DictReader(f))
    with open(scores) as f:
        ours = list(csv.DictReader(f))
    meta = s.get_modelmeta().custom_metadata_map
    names = json.loads(meta["ndr.schema"])["features"]
    words = [i.name.removeprefix("word:") for i in s.get_inputs() if i.name.startswith("word:")]
    numbers = [n for n in names if n not in words]
    feed = {f"word:{w}": np.array([[l[w]] for l in lines], dtype=object) for w in words}
    if numbers:
        feed["features"] = np.array([[float(l[n]) if l[n] else np.nan for n in numbers] for l in lines], dtype=np.float32)
    out = dict(zip([o.name for o in s.get_outputs()], s.run(None, feed)))
    want = np.array([float(o["score"]) for o in ours])
    far = np.abs(out["score"].ravel() - want).max()
    print(f"{Path(model).name}: {len(want)} rows, largest difference of the score to onnxruntime {ort.__version__}: {far:.2e}")
    assert len(want) == len(lines) and far < 1e-5, "our export and our score differ"
    classes = [k for k in ours[0] if k.startswith("score_")]
    if classes:
        mine = np.array([[float(o[k]) for k in classes] for o in ours])
        far = np.abs(out["probabilities"] - mine).max()
        print(f"  of {len(classes)} class probabilities: {far:.2e}")
        assert far < 1e-5


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        Path(rest[0]).mkdir(parents=True, exist_ok=True)
        make(Path(rest[0]))
    elif what == "data":
        Path(rest[0]).mkdir(parents=True, exist_ok=True)
        data(Path(rest[0]))
    else:
        check(*rest[:3])
