"""Four workers share one experiment through the service: each point is handed out once, budgets are kept."""

from concurrent.futures import ThreadPoolExecutor

import heliostat as hs
from heliostat.service import ServiceSettings
from heliostat.testing.service import make_token, serving


def work(url, token, id):
    """One worker, as it would run on another machine; it stops when there is nothing left to try."""
    with hs.connect(url, token) as remote:
        done = 0
        for run in remote.experiment(id).loop():
            run.log_metric("loss", (run["x"] - 1) ** 2 + (run["y"] + 2) ** 2)
            done += 1
        return done


# The service on a free port of this machine; elsewhere `heliostat serve` prints an address and a token.
log = "sqlite:///heliostat.db"
with serving(ServiceSettings(log=log)) as host:
    url, token = f"http://{host}", make_token(log)
    with hs.connect(url, token) as remote:
        experiment = remote.create_experiment(
            "bowl",
            parameters=[hs.Double("x", -5, 5), hs.Double("y", -5, 5)],
            metrics=[hs.minimize("loss")],
            budget=24,
            parallel_bandwidth=4,
        )
        with ThreadPoolExecutor(4) as workers:
            shares = list(workers.map(lambda _: work(url, token, experiment.id), range(4)))
        runs, best = experiment.runs(), experiment.best()

points = {tuple(sorted(run.assignments.items())) for run in runs}
print(f"4 workers, {sum(shares)} runs, {len(points)} different points")
print(f"best loss {best.numbers['loss']:.4f} at x={best.assignments['x']:.2f}, y={best.assignments['y']:.2f}")
