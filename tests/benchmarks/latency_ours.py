"""Our suggestions: cold, warm, made ahead; memory over a long experiment; what an import brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from latency_data import assignments, history, run, spec, table

from heliostat.engine import Engine
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome
from heliostat.registry import make_searcher, open_log
from heliostat.trial import History, Measurement, Proposal, State
from heliostat.writes import CreateExperiment

OURS = "heliostat"
HEAVY = ("ax", "botorch", "gpytorch", "torch")
FAST_DISK = Path("/dev/shm")
"""Where the log lies while waits are measured: the disk is the subject of runlog.py."""


def cell(n, d, *, m=1, pending=0, repeats=5):
    """CPU seconds of suggestions with nothing remembered, and of the next ones after one more result."""
    cold, warm = [], []
    for seed in range(repeats):
        declared, known = spec(d, m), history(n, d, m, seed=seed, pending=pending)
        forget()
        searcher = make_searcher("bayesian")
        spent, (proposal,) = timed(searcher, declared, known, seed)
        cold.append(spent)
        place = np.array(list(proposal.assignments.values()))
        told = run(n + pending + 1, place, table(n, d, m, seed)[1].mean(axis=0))
        warm.append(timed(searcher, declared, History((*known.runs, told)), seed)[0])
    return {"who": OURS, "n": n, "d": d, "m": m, "pending": pending, "cold": cold, "warm": warm}


def timed(searcher, declared, known, seed):
    """CPU seconds of one suggestion, and the suggestion."""
    rng = np.random.default_rng(seed)
    start = time.process_time()
    found = searcher.suggest(declared, known, 1, rng)
    return time.process_time() - start, found


def forget():
    """Empty every cache of the package: what was fitted before is not known any more."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0].startswith("heliostat"):
            for item in vars(module).values():
                if callable(clear := getattr(item, "cache_clear", None)):
                    clear()


def ahead(n, d, *, suggestions, seconds):
    """Waits for suggestions that an engine makes ahead, two workers, a result each `seconds`."""
    place = FAST_DISK if FAST_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="latency-", dir=place) as folder:
        log = open_log(f"sqlite:///{folder}/runs.db")
        declared: ExperimentSpec = replace(spec(d), parallel_bandwidth=2)
        engine = Engine(log, log.apply(CreateExperiment(declared.to_dict(), time=0.0)).experiment)
        fill(engine, n, d)
        working = engine.suggest(2, ahead=True)
        waits, spent = [], []
        for number in range(suggestions):
            time.sleep(seconds)  # the trial's own work, during which the engine may think
            tell(engine, working.pop(0), 0.5 + 0.01 * number)
            wall, own = time.perf_counter(), time.thread_time()
            working += engine.suggest(1, ahead=True)
            waits.append(time.perf_counter() - wall)
            spent.append(time.thread_time() - own)
        engine.flush()
        log.close()
    return {"n": n, "d": d, "seconds": seconds, "waits": waits, "cpu": spent}


def fill(engine, n, d):
    """`n` ended runs in an engine's log."""
    places, values = table(n, d, 1, 0)
    made = engine.admit([Proposal(assignments(place)) for place in places], origin="user")
    for begun, value in zip(made, values[:, 0], strict=True):
        tell(engine, begun, float(value))


def tell(engine, begun, value):
    """End a run."""
    engine.finish(begun.id, Outcome(State.COMPLETED, "done", values={"m0": Measurement(value)}))


def memory(trials, every, d=4):
    """Resident memory in MB by number of trials, while every `every`-th one is suggested by the model."""
    process, declared = psutil.Process(), spec(d)
    searcher, known, found = make_searcher("bayesian"), list(history(trials, d).runs), {}
    for n in range(every, trials + 1, every):
        searcher.suggest(declared, History(tuple(known[:n])), 1, np.random.default_rng(n))
        found[n] = process.memory_info().rss / 2**20
    return found


def memory_alone(trials, every):
    """As :func:`memory`, in a process that does nothing else."""
    code = f"import json, latency_ours; print(json.dumps(latency_ours.memory({trials}, {every})))"
    return {int(n): size for n, size in json.loads(child(code)).items()}


def imports(repeats=5):
    """CPU seconds of ``import heliostat`` and the heavy modules that it and a suggestion bring along."""
    begin = (
        "import json, sys, time; start = time.process_time(); import heliostat;"
        "[getattr(heliostat, name) for name in heliostat.__all__];"  # they are loaded when first used
        "spent = time.process_time() - start;"
        f"heavy = lambda: [name for name in {HEAVY!r} if name in sys.modules]; first = heavy();"
    )
    suggest = (
        "import latency_ours as ours; ours.cell(20, 4, repeats=1);print(json.dumps([spent, first, heavy()]))"
    )
    taken = [json.loads(child(begin + suggest)) for _ in range(repeats)]
    return {"cpu": [one[0] for one in taken], "imported": taken[0][1], "suggested": taken[0][2]}


def child(code):
    """What a new process prints last."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env={**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]
