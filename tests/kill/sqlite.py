"""Kill the processes that write a run log in a SQLite file.

Eight writers, first as threads of one process, then as processes of their own. Each round kills one process
with SIGKILL, or several at once, at a random moment; then the log is verified, no acknowledged write may be
missing or be there twice, and others take the places of the dead::

    python tests/kill/sqlite.py --rounds 80
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from crew import SHAPES, Crew


def play(rounds: int, rng: random.Random, folder: Path, shape: str) -> int:
    """All rounds of one shape and the verdict; the exit code."""
    print(f"eight {shape}, {rounds} rounds", flush=True)
    crew = Crew(f"sqlite:///{folder / 'runs.db'}", folder, shape)
    killed, begun = 0, time.monotonic()
    try:
        for number in range(rounds):
            crew.start()
            crew.await_progress()
            time.sleep(rng.uniform(0.0, 0.3))
            killed += crew.kill(rng)
            if shape == "threads" or number % 5 == 4:
                # With some of the writers still at work, verifying takes a snapshot of its own.
                found = crew.found()
                if found:
                    print(f"round {number + 1}: {found}", flush=True)
                    return 1
        print(f"{killed} processes killed in {time.monotonic() - begun:.0f} s")
    finally:
        crew.kill_all()
    return crew.verdict()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"seed {given.seed}")
    worst = 0
    for place, shape in enumerate(SHAPES):
        rng = random.Random(given.seed + place)
        rounds = (given.rounds + 1 - place) // 2
        with tempfile.TemporaryDirectory(prefix="heliostat-kill-") as folder:
            worst = max(worst, play(rounds, rng, Path(folder), shape))
    return worst


if __name__ == "__main__":
    sys.exit(main())
