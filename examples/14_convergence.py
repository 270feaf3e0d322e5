"""Stop when no more is to be won: the verdict, its reason, and a loop that ends by it."""

import heliostat as hs

experiment = hs.Experiment(
    "bowl",
    parameters=[hs.Double("rate", 1e-4, 1.0, log=True), hs.Double("momentum", 0, 1)],
    metrics=[hs.minimize("loss")],
    budget=100,
)

for run in experiment.loop(stop_when_converged=True):
    with run:
        loss = (run.params["rate"] - 0.1) ** 2 + (run.params["momentum"] - 0.9) ** 2
        run.log_metric("loss", loss)

verdict = experiment.convergence()
print(f"best loss {experiment.best().numbers['loss']:.4f} after {len(experiment.runs())} of 100 runs")
print(verdict.reason)
print("evidence:", ", ".join(f"{name} {value:.3g}" for name, value in verdict.evidence.items()))
