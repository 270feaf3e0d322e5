"""The same experiment for our searchers and for those of Optuna and Hyperopt: only a name changes."""

import heliostat as hs

SEARCHERS = ["bayesian", "optuna", "hyperopt", "random"]


def tune(searcher):
    """Best loss of 30 runs: a forest or a network, of which the network is the better."""
    experiment = hs.Experiment(
        searcher,
        conditionals=[hs.Conditional("model", ["forest", "net"])],
        parameters=[
            hs.Int("trees", 10, 500, log=True, conditions={"model": "forest"}),
            hs.Double("rate", 1e-5, 1, log=True, conditions={"model": "net"}),
            hs.Double("dropout", 0, 0.9, conditions={"model": "net"}),
            hs.Double("share", 0, 1),
        ],
        metrics=[hs.minimize("loss")],
        budget=30,
        searcher=searcher,
        seed=1,
    )
    for run in experiment.loop():
        if run["model"] == "forest":
            loss = 0.3 + abs(run["trees"] - 120) / 1000
        else:
            loss = 0.1 * abs(run["rate"] / 3e-3 - 1) ** 0.5 + (run["dropout"] - 0.3) ** 2
        run.log_metric("loss", loss + (run["share"] - 0.6) ** 2)
    return experiment.best().numbers["loss"]


found = {name: tune(name) for name in SEARCHERS}
for name, loss in sorted(found.items(), key=lambda item: item[1]):
    print(f"{name:<10} {loss:.4f}")
print(f"one experiment, {len(SEARCHERS)} searchers; with one seed each, no verdict")
