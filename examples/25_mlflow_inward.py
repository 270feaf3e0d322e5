"""A script written for MLflow, unchanged: its runs land in Heliostat's log because one address says so."""

import os

import heliostat as hs
from heliostat.service import ServiceSettings
from heliostat.testing.service import make_token, serving

# The service on a free port of this machine; elsewhere `heliostat serve` prints an address and a token.
log = "sqlite:///heliostat.db"
with serving(ServiceSettings(log=log)) as host:
    os.environ["MLFLOW_TRACKING_URI"] = f"http://{host}"
    os.environ["MLFLOW_TRACKING_TOKEN"] = make_token(log)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

    # From here on it is MLflow's own client and knows nothing of Heliostat.
    import mlflow

    mlflow.set_experiment("bowls")
    for x in (-1.0, 0.5, 2.0):
        with mlflow.start_run(run_name=f"x = {x}"):
            mlflow.log_param("x", x)
            for step in range(5):
                mlflow.log_metric("loss", (x - 0.5) ** 2 + 1 / (step + 1), step=step)
            mlflow.log_text(f"It began at {x}.", "notes.txt")

# And this is Heliostat: parameters are numbers again, curves are curves.
runs = hs.open_log("heliostat.db").runs(project="bowls", curves=True)
best = min(runs, key=lambda run: run.numbers["loss"])
print(f"{len(runs)} runs of origin {best.origin}; the best has x = {best.assignments['x']}")
print(f"its curve: {[round(point.values['loss'], 2) for point in best.curve]}")
