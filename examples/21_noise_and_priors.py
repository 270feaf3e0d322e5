"""Noise and beliefs: standard errors, a point measured again, priors; and the point to use in the end."""

import random

import heliostat as hs

draw = random.Random(1)
experiment = hs.Experiment(
    "noisy",
    parameters=[
        hs.Double("rate", 0, 1, prior=hs.Normal(mean=0.4, scale=0.2)),  # what we believe before the first run
        hs.Double("momentum", 0, 1, prior=hs.Beta(shape_a=4, shape_b=2)),
    ],
    metrics=[hs.minimize("loss")],
    budget=30,
    seed=1,
)


def true_loss(point):
    return 1 + 3 * (point["rate"] - 0.3) ** 2 + 2 * (point["momentum"] - 0.7) ** 2


for run in experiment.loop():
    stddev = 0.15 if run.number % 2 else 0.1  # of the mean over the folds, say; leave it out where unknown
    run.log_metric("loss", true_loss(run) + draw.gauss(0, stddev), stddev)
    if run.number == 20:  # the best so far may just have been lucky: measure it again
        experiment.queue(experiment.best().assignments, why="again")

best, point = experiment.best(), experiment.recommended()
expected = point.predicted["loss"]
truth = {"best": true_loss(best.assignments), "recommended": true_loss(point.assignments)}
again = experiment.runs()[20]
print(f"run {again.number}, {again.why}: {again.numbers['loss']:.3f}")
print(f"best: run {best.number} measured {best.numbers['loss']:.3f}, truly {truth['best']:.3f}")
print(
    f"recommended: expects {expected.mean:.3f} ± {expected.stddev:.3f}, in truth {truth['recommended']:.3f}"
)
errors = abs(best.numbers["loss"] - truth["best"]), abs(expected.mean - truth["recommended"])
print(f"the recommendation is nearer to its truth: {errors[1] < errors[0]}")
