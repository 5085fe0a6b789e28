#!/usr/bin/env bash
# After early stopping an XGBoost model has two answers: XGBClassifier predicts with the trees up to the best round, the
# booster inside it (which C, Rust, Java and saved-file users call) with all of them. LightGBM cuts the later trees off
# on saving. Here 1 in 5 labels differ.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 lightgbm==4.7.0
venv/bin/pip install -q --disable-pip-version-check --no-deps xgboost-cpu==3.2.0
cat >want <<'END'
xgboost 3.2.0 lightgbm 4.7.0
xgboost: some labels differ: True - trees used fewer than saved
lightgbm: some labels differ: False
END
venv/bin/python - >got <<'END'
import warnings
import lightgbm as lgb, numpy as np, xgboost as xgb

warnings.filterwarnings("ignore")
print("xgboost", xgb.__version__, "lightgbm", lgb.__version__)
rng = np.random.default_rng(1)
x = rng.normal(size=(600, 10))
y = (x[:, 0] + rng.normal(size=600) * 2 > 0).astype(int)
model = xgb.XGBClassifier(n_estimators=300, early_stopping_rounds=30, eval_metric="logloss", n_jobs=1)
model.fit(x[:300], y[:300], eval_set=[(x[300:], y[300:])], verbose=False)
model.save_model("model.json")
wrapper = model.predict_proba(x[300:])[:, 1] > 0.5
booster = xgb.Booster(model_file="model.json").predict(xgb.DMatrix(x[300:])) > 0.5
print(
    "xgboost: some labels differ:",
    bool((wrapper != booster).mean() > 0.1),
    "- trees used",
    model.best_iteration + 1 < model.get_booster().num_boosted_rounds() and "fewer than saved",
)
model = lgb.train(
    {"objective": "binary", "verbose": -1, "num_threads": 1},
    lgb.Dataset(x[:300], y[:300]),
    300,
    valid_sets=[lgb.Dataset(x[300:], y[300:])],
    callbacks=[lgb.early_stopping(30, verbose=False)],
)
model.save_model("model.txt")
print(
    "lightgbm: some labels differ:", bool((model.predict(x[300:]) != lgb.Booster(model_file="model.txt").predict(x[300:])).any())
)
END
cat got
diff want got && echo "unchanged"
