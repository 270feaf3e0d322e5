"""XGBoost logged by the official client's integration. Prints the run's id."""

import json

import numpy as np
import sigopt.xgboost
import xgboost as xgb

rng = np.random.default_rng(0)
x = rng.normal(size=(80, 4))
y = (x[:, 0] > 0).astype(int)
train, test = xgb.DMatrix(x[:60], label=y[:60]), xgb.DMatrix(x[60:], label=y[60:])
context = sigopt.xgboost.run(
    {"objective": "binary:logistic", "max_depth": 3},
    train,
    num_boost_round=6,
    evals=[(test, "val")],
    verbose_eval=False,
    run_options={"name": "boosted"},
)
context.run.end()
print(json.dumps({"id": context.run.id}))
