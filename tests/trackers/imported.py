"""What the tests of importers share: a declaration, short ways to write into a log, and sources to read."""

import csv
import json

from heliostat.imports import record

SPEC = {
    "name": "bowl",
    "parameters": [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "n", "type": "int", "bounds": {"min": 1, "max": 4}},
    ],
    "metrics": [{"name": "loss", "objective": "minimize"}],
}


def bring(log, items, **where):
    return record(log, items, kind="test", **({"project": "p"} | where))


def written(log):
    return len(log.events(limit=10**6))


def table(path, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def tune_folder(folder, *trials, state=True):
    """An experiment's folder as Ray Tune 2.60 writes it, of ``(id, status, config, results, error)``."""
    folder.mkdir()
    listed = []
    for id, status, config, results, error in trials:
        facts = {
            "start_time": 1000.0,
            "last_result": results[-1] if results else {},
            "last_result_time": 1009.0,
        }
        pickled = {"_type": "CLOUDPICKLE_FALLBACK", "value": "80059500"}
        listed.append(
            [
                json.dumps({"trial_id": id, "status": status, "config": config, "storage": pickled}),
                json.dumps(facts),
            ]
        )
        if status == "PENDING":
            continue
        own = folder / f"train_{id}_0_x=1_2026-01-01_00-00-00"
        own.mkdir()
        (own / "params.json").write_text(json.dumps(config))
        (own / "result.json").write_text("".join(json.dumps(result) + "\n" for result in results))
        (own / "params.pkl").write_bytes(b"cos\nsystem\n(S'touch stolen'\ntR.")
        if error:
            (own / "error.txt").write_text(error)
    if state:
        (folder / "experiment_state-2026-01-01_00-00-00.json").write_text(json.dumps({"trial_data": listed}))
    (folder / "tuner.pkl").write_bytes(b"cos\nsystem\n(S'touch stolen'\ntR.")
    return folder
