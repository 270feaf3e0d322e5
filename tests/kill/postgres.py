"""Kill the writers of a run log in PostgreSQL, and the server under them.

Eight writers, first as threads of one process, then as processes of their own. Each round kills, at a random
moment and without warning, one of: a writing process or several, one process of the server (which then
restarts all of them by itself), the whole server (which is started again a little later). No writer may see
an error of the server: it waits and sends again. In the end no acknowledged write may be missing or be there
twice, and the log is whole::

    python tests/kill/postgres.py --rounds 60
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from crew import SHAPES, Crew

from heliostat.testing.postgres import PostgresServer

VICTIMS = ("writer", "backend", "server")


def play(rounds: int, rng: random.Random, server: PostgresServer, folder: Path, shape: str) -> int:
    """All rounds of one shape and the verdict; the exit code."""
    print(f"eight {shape}, {rounds} rounds", flush=True)
    crew = Crew(server.new_database(), folder, shape)
    waits: dict[str, list[float]] = {victim: [] for victim in VICTIMS}
    try:
        for number in range(rounds):
            crew.start()
            crew.await_progress()
            time.sleep(rng.uniform(0.0, 0.3))
            victim = VICTIMS[number % len(VICTIMS)]
            kill(victim, crew, server, rng)
            crew.start()
            waits[victim].append(crew.await_progress())
        for victim, seconds in waits.items():
            if seconds:
                print(f"{victim}: {len(seconds)} kills, writing again after {max(seconds):.1f} s at most")
    finally:
        crew.kill_all()
    return crew.verdict()


def kill(victim: str, crew: Crew, server: PostgresServer, rng: random.Random) -> None:
    """Kill one of the kind, at once."""
    if victim == "writer":
        crew.kill(rng)
    elif victim == "backend":
        os.kill(rng.choice(server.backends()), signal.SIGKILL)
    else:
        server.kill()
        time.sleep(rng.uniform(0.0, 1.0))
        server.start()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"seed {given.seed}")
    worst = 0
    with PostgresServer() as server:
        for place, shape in enumerate(SHAPES):
            rng = random.Random(given.seed + place)
            rounds = (given.rounds + 1 - place) // 2
            with tempfile.TemporaryDirectory(prefix="heliostat-kill-") as folder:
                worst = max(worst, play(rounds, rng, server, Path(folder), shape))
    return worst


if __name__ == "__main__":
    sys.exit(main())
