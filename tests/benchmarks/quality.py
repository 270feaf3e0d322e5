"""Quality side by side: every method on every problem of the suite P1 to P18, through one ask-and-tell loop.

Methods run with their defaults, each in a process of its own with one thread, peers of other ages in virtual
environments of their own. Scores are of noise-free values; time is the CPU time of ask and tell. Traces are
stored per method and problem; a cell (problem, method, seed) that is stored is not played again.

    python tests/benchmarks/quality.py                  what is missing, cheap methods first (CPU days)
    python tests/benchmarks/quality.py --problems P1,branin_fail --methods heliostat,random --seeds 0-9
    python tests/benchmarks/quality.py --try --problems P1 --methods heliostat --seeds 0-4
                                                        plays, stores nothing, prints beside stored peers
    python tests/benchmarks/quality.py --quick          a few small cells and their ratios (under a minute)
    python tests/benchmarks/quality.py --stopping       replays P15, early stopping (a minute)
    python tests/benchmarks/quality.py --report         the stored table beside the goals
    python tests/benchmarks/quality.py --plot           mean rank over the budget, as a picture
    python tests/benchmarks/quality.py --install sigopt a peer's environment
"""

from __future__ import annotations

import os

from quality_methods import ONE_THREAD

os.environ.update(ONE_THREAD)  # before NumPy's own threads start; problems run in this process

import argparse
import subprocess
import sys
from pathlib import Path

from quality_methods import ENVIRONMENTS, METHODS, PEERS
from quality_plan import cells, run
from quality_suite import chosen


def install(name: str, folder: Path) -> int:
    """A virtual environment with exactly what a peer's requirement file lists."""
    home = folder / name
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--requirement", str(PEERS / f"{name}.txt")]
    if not (home / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    # Pins of old packages contradict each other on paper; such files list everything and resolve nothing.
    if "--no-deps" in (PEERS / f"{name}.txt").read_text().splitlines()[0]:
        pip.append("--no-deps")
    return subprocess.run(pip, check=False).returncode


def seeds(text: str) -> list[int]:
    """``0-4``, ``3`` or ``0,2,5-7``."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", help="names or classes, comma-separated")
    parser.add_argument("--methods", help="names, comma-separated")
    parser.add_argument("--seeds", type=seeds, help="such as 0-9")
    parser.add_argument("--workers", type=int, default=1, help="cells at once")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--force", action="store_const", const="force", dest="again", help="stored cells too")
    again.add_argument(
        "--stale",
        action="store_const",
        const="stale",
        dest="again",
        help="ours of other code too",
    )
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="folder of the peers'")
    parser.add_argument("--install", metavar="PEER")
    parser.add_argument("--try", action="store_true", dest="is_trial")
    parser.add_argument("--curves", action="store_true", help="train the curves of P15 anew first")
    for flag in ("--quick", "--report", "--plot", "--stopping"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def main() -> int:
    given = options()
    if given.install:
        return install(given.install, given.environments)
    names = given.methods.split(",") if given.methods else None
    if unknown := [name for name in names or () if name not in METHODS]:
        raise SystemExit(f"no method {', '.join(unknown)}; known: {', '.join(METHODS)}")
    if given.stopping:
        import quality_stopping

        if given.curves:
            quality_stopping.make()
        return quality_stopping.play()
    if given.report or given.plot:
        from quality_report import plot, report

        wanted = chosen(given.problems)
        if given.plot:
            return plot(wanted, names)
        return report(wanted, names)
    if given.quick:
        from quality_report import quick

        return quick(given.environments)
    plans = cells(chosen(given.problems), names, given.seeds)
    if given.is_trial:
        from quality_report import compare

        return compare(plans, given.environments, given.workers)
    return run(plans, given.environments, given.workers, given.again)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # what was played is stored; the same command goes on
        sys.exit(130)
