#!/usr/bin/env bash
# A two-class TreeEnsembleClassifier with one weight per leaf gives four different answers in onnxruntime for one and
# the same tree, all without an error. Weights on class id 0 are read as the score of class 1 and are mirrored into
# probabilities that add up to 1. Weights on class id 1, which is what the names suggest, leave P(class 0) at 0.5. One
# base value shifts the two rows unevenly, or not at all; with two base values and class id 1 the tree is dropped: every
# row gets the same answer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 'protobuf<7' numpy==2.4.6
cat >want <<'END'
onnxruntime 1.32.0
class id 0, base None: labels [0, 1], P(0) P(1) [[0.88, 0.12], [0.12, 0.88]]
class id 1, base None: labels [0, 1], P(0) P(1) [[0.5, 0.12], [0.5, 0.88]]
class id 0, base [0.5]: labels [0, 1], P(0) P(1) [[0.82, 0.18], [0.08, 0.92]]
class id 1, base [0.5]: labels [0, 1], P(0) P(1) [[0.5, 0.12], [0.5, 0.88]]
class id 1, base [0.0, 0.5]: labels [1, 1], P(0) P(1) [[0.5, 0.62], [0.5, 0.62]]
END
venv/bin/python - >got <<'END'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper

ort.set_default_logger_severity(3)
print("onnxruntime", ort.__version__)
for class_id, base in ((0, None), (1, None), (0, [0.5]), (1, [0.5]), (1, [0.0, 0.5])):
    tree = dict(
        nodes_treeids=[0] * 3,
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0] * 3,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[1.0, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0, 0],
        class_nodeids=[1, 2],
        class_ids=[class_id] * 2,
        class_weights=[-2.0, 2.0],
        classlabels_int64s=[0, 1],
        post_transform="LOGISTIC",
    )
    if base:
        tree["base_values"] = base
    graph = helper.make_graph(
        [helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", **tree)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2]),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8
    )
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    labels, p = session.run(None, {"x": np.array([[0.0], [2.0]], np.float32)})
    print(
        f"class id {class_id}, base {base}: labels {labels.tolist()}, P(0) P(1) {[[round(float(v), 2) for v in row] for row in p]}"
    )
END
cat got
diff want got && echo "unchanged"
