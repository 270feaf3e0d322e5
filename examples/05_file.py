"""An experiment declared in a file: linear constraint, prior, grid, guardrail."""

from pathlib import Path

import heliostat as hs

experiment = hs.Experiment.from_file(Path(__file__).with_name("05_experiment.yaml"))
for run in experiment.loop():
    mix, heat = run["flour"] - 1.5 * run["water"], run["minutes"] - 40
    run.log_metric("taste", 10 - 8 * mix**2 - (heat / 15) ** 2 + (run["oven"] == "steel"))
    run.log_metric("price", 3 * run["flour"] + 0.5 * (run["oven"] == "steel"))

best = experiment.best()
print(f"taste {best.numbers['taste']:.2f} at price {best.numbers['price']:.2f}")
print("flour + water =", round(best.assignments["flour"] + best.assignments["water"], 3))
