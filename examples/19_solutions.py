"""Several solutions: good and different, so that there is a choice when the best one turns out not to do."""

import math

import heliostat as hs

PEAKS = {(0.2, 0.25): 1.0, (0.8, 0.3): 0.95, (0.45, 0.8): 0.9}
experiment = hs.Experiment(
    "three hills",
    parameters=[hs.Double("x", 0, 1), hs.Double("y", 0, 1)],
    metrics=[hs.maximize("height")],
    num_solutions=3,
    budget=40,
    seed=1,
)
for run in experiment.loop():
    place = run["x"], run["y"]
    heights = (height * math.exp(-((math.dist(place, peak) / 0.15) ** 2)) for peak, height in PEAKS.items())
    run.log_metric("height", max(heights))


solutions = experiment.best_runs()
places = [(run.assignments["x"], run.assignments["y"]) for run in solutions]
for run, (x, y) in zip(solutions, places, strict=True):
    print(f"run {run.number}: height {run.numbers['height']:.3f} at x {x:.2f}, y {y:.2f}")
hills = {min(PEAKS, key=lambda peak: math.dist(place, peak)) for place in places}
lowest = solutions[-1].numbers["height"]
print(f"{len(solutions)} solutions on {len(hills)} hills, the lowest at {lowest:.1f}")
