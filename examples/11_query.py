"""Ask the run log: runs of every origin in one table, filtered and sorted, in pandas and back."""

import pandas as pd

import heliostat as hs


def accuracy(lr, layers):
    return 0.95 - 2 * (lr - 0.1) ** 2 - 0.02 * abs(layers - 3)


# What somebody kept in a spreadsheet becomes runs like all others.
sheet = pd.DataFrame({"lr": [0.01, 0.1, 0.5], "layers": [2, 3, 4]})
sheet["accuracy"] = accuracy(sheet["lr"], sheet["layers"])
hs.log_frame(sheet, origin="spreadsheet", params=["lr", "layers"], metrics=["accuracy"])

experiment = hs.Experiment(
    "network",
    parameters=[hs.Double("lr", 0.001, 1, log=True), hs.Int("layers", 1, 5)],
    metrics=[hs.maximize("accuracy")],
    budget=12,
    searcher="sobol",
)
for run in experiment.loop():
    run.log_metric("accuracy", accuracy(run["lr"], run["layers"]))

# The same text works after `heliostat ls runs --where` and `heliostat export --where`.
where = "state = completed and metrics.accuracy > 0.9 and params.layers in (2, 3, 4)"
good = hs.runs(where, sort="metrics.accuracy", ascending=False)
print(good[["id", "origin", "params.lr", "params.layers", "metrics.accuracy"]].to_string(index=False))
print(f"{len(good)} of {len(hs.runs())} runs are above 0.9; the best is from the {good['origin'][0]}")
