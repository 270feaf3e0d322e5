"""A pool of eight workers by hand: points are asked for while others are under way, stragglers among them."""

import random

import heliostat as hs

experiment = hs.Experiment(
    "pool",
    parameters=[hs.Double("x", -2, 2), hs.Double("y", -2, 2)],
    metrics=[hs.minimize("loss")],
    budget=40,
    parallel_bandwidth=8,
    seed=1,
)
draw = random.Random(0)
clock, begun, under_way = 0.0, 0, []  # (end, run): one run in ten takes a hundred times as long
while under_way or begun < 40:
    while len(under_way) < 8 and begun < 40:
        run = experiment.ask()
        begun += 1
        under_way.append((clock + draw.uniform(1, 3) * (100 if draw.random() < 0.1 else 1), run))
    clock, run = min(under_way, key=lambda item: item[0])
    under_way.remove((clock, run))
    x, y = run["x"], run["y"]
    experiment.tell(run, {"loss": (1 - x) ** 2 + 5 * (y - x * x) ** 2})
points = {tuple(run.assignments.values()) for run in experiment.runs()}
print(f"best loss {experiment.best().numbers['loss']:.4f}; {len(points)} different points in 40 runs")
