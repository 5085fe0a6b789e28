"""Speed of trees beside LightGBM and XGBoost on KDDTrain+: 100 trees of 31 leaves, one thread, CPU seconds.

usage: speed.py CORPUS OURS.json      OURS.json is what the library's bench printed a moment ago.
"""
import json, os, resource, sys

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
import pandas as pd
import lightgbm, xgboost


def cpu():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


names = [f"f{i}" for i in range(41)] + ["attack", "level"]
data = pd.read_csv(f"{sys.argv[1]}/labelled/nsl-kdd/KDDTrain+.txt.gz", header=None, names=names)
y = (data.attack != "normal").values.astype(int)
for c in ("f1", "f2", "f3"):
    data[c] = data[c].astype("category").cat.codes
x = np.ascontiguousarray(data[[f"f{i}" for i in range(41)]].values, dtype=np.float32)
ours = json.load(open(sys.argv[2]))


def rate(work, least=2.0):
    begin, rows = cpu(), 0
    while cpu() - begin < least:
        rows += work()
    return rows / (cpu() - begin)


before = cpu()
lgb = lightgbm.train(dict(objective="binary", num_leaves=31, num_threads=1, verbosity=-1), lightgbm.Dataset(x, y), 100)
lgb_train = cpu() - before
before = cpu()
d = xgboost.DMatrix(x, y)
xgb = xgboost.train(dict(objective="binary:logistic", tree_method="hist", grow_policy="lossguide", max_leaves=31, max_depth=0, nthread=1), d, 100)
xgb_train = cpu() - before
xgb_score = rate(lambda: len(xgb.inplace_predict(x)))
lgb_score = rate(lambda: len(lgb.predict(x, num_threads=1)))
some = x[::100]
lgb_shap = rate(lambda: len(lgb.predict(some, pred_contrib=True, num_threads=1)))
xgb_some = xgboost.DMatrix(some)
xgb_shap = rate(lambda: len(xgb.predict(xgb_some, pred_contribs=True)))
print(f"training   ours {ours['train_s']:.2f} s  LightGBM {lgb_train:.2f} s  XGBoost {xgb_train:.2f} s: {ours['train_s'] / lgb_train:.2f} of LightGBM's (bar: 1.0)")
print(f"scoring    ours {ours['score_rows_per_s']:.0f} rows/s  XGBoost {xgb_score:.0f}  LightGBM {lgb_score:.0f}: {ours['score_rows_per_s'] / xgb_score:.2f} times XGBoost's (bar: 1.0)")
print(f"TreeSHAP   ours {ours['shap_rows_per_s']:.0f} rows/s  LightGBM {lgb_shap:.0f}  XGBoost {xgb_shap:.0f}: {ours['shap_rows_per_s'] / lgb_shap:.1f} times LightGBM's (bar: 5)")
