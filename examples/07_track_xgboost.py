"""Code written for the sigopt module, with its import changed: a model of XGBoost, tracked by hand."""

import time

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import heliostat as sigopt

features, labels = load_breast_cancer(return_X_y=True)
train, test, train_labels, test_labels = train_test_split(features, labels, random_state=0)

# Design: data, model, parameters.
sigopt.log_dataset("breast cancer")
sigopt.log_metadata("data source", "scikit-learn")
sigopt.log_metadata("pipeline name", "raw features")
sigopt.log_metadata("rows", len(features))
sigopt.log_metadata("columns", features.shape[1])
sigopt.log_metadata("execution environment", "one process")
sigopt.log_model("XGBClassifier")
sigopt.params.max_depth = 3
sigopt.params.learning_rate = 0.3
sigopt.params.min_split_loss = 0.1

began = time.perf_counter()
model = xgboost.XGBClassifier(n_estimators=20, n_jobs=1, eval_metric="logloss", **sigopt.params)
model.fit(train, train_labels, eval_set=[(test, test_labels)], verbose=False)
auc = roc_auc_score(test_labels, model.predict_proba(test)[:, 1])
for loss in model.evals_result()["validation_0"]["logloss"]:
    sigopt.log_checkpoint({"logloss": loss})

# Metrics, of any name.
sigopt.log_metric("area under curve", auc)
sigopt.log_metric("training and validation time (s)", time.perf_counter() - began)

# What the run log has kept, as anybody would read it days later.
kept = sigopt.get_run(sigopt.get_run_id()).read()
print(f"run {kept.id} of {kept.model} on {', '.join(kept.datasets)}: {dict(kept.assignments)}")
for key, value in kept.metadata.items():
    print(f"  {key}: {value}")
for name, measured in kept.values.items():
    print(f"  {name}: {measured.value:.4f}")
assert kept.numbers["area under curve"] == auc > 0.95
assert kept.assignments == {"max_depth": 3, "learning_rate": 0.3, "min_split_loss": 0.1}
assert [point.step for point in kept.curve] == list(range(1, 21))
parts = (kept.datasets, kept.metadata, kept.assignments, kept.values, kept.curve)
counts = "1 dataset, 5 facts, 3 parameters, 2 metrics, 20 checkpoints"
assert [len(part) for part in parts] == [int(word.split()[0]) for word in counts.split(", ")]
print(f"all there: {counts}")
