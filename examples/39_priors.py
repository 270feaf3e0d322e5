"""Beliefs before the first run: one that is right helps at once, one that is wrong is forgiven."""

import heliostat as hs

BELIEFS = {
    "none": {},
    "right": {"prior": hs.Normal(mean=0.75, scale=0.1)},
    "wrong": {"prior": hs.Normal(mean=0.1, scale=0.1)},
}


def tried(belief):
    """The lowest loss after 5 and after 30 runs; the optimum lies at 0.8."""
    experiment = hs.Experiment(
        belief,
        parameters=[
            hs.Double("momentum", 0, 1, **BELIEFS[belief]),
            hs.Double("rate", 0, 1),
            hs.Double("decay", 0, 1),
        ],
        metrics=[hs.minimize("loss")],
        budget=30,
        seed=3,
    )
    losses = []
    for run in experiment.loop():
        off = 4 * (run["momentum"] - 0.8) ** 2 + (run["rate"] - 0.3) ** 2 + (run["decay"] - 0.6) ** 2
        run.log_metric("loss", off)
        losses.append(off)
    return min(losses[:5]), min(losses)


found = {belief: tried(belief) for belief in BELIEFS}
for belief, (early, late) in found.items():
    print(f"{belief}: {early:.3f} after 5 runs, {late:.5f} after 30")
print(f"right is ahead early: {found['right'][0] < found['none'][0]}")
print(f"wrong is there late: {found['wrong'][1] < 0.01}")
