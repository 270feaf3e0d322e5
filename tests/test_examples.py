"""Every example runs as a newcomer would run it, and says what it found."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
PRINTS = {
    "01_loop.py": "best of 20: loss",
    "02_sweep.py": "report: curves.html",
    "03_drop_in.py": "12 trials in Ray Tune, 12 runs in the log",
    "04_failures.py": "first failure: MemoryError: too large for this machine",
    "05_file.py": "flour + water =",
    "06_own_searcher.py": "held to SearcherContract by its tests",
    "07_track_xgboost.py": "all there: 1 dataset, 5 facts, 3 parameters, 2 metrics, 20 checkpoints",
    "08_bring_your_own_optimizer.py": "runs of 4 origins; the best is from",
    "10_import.py": "14 runs of 2 origins",
    "11_query.py": "runs are above 0.9; the best is from the spreadsheet",
    "12_cluster_log.py": "best rate: 0.5",
    "13_hosted_searchers.py": "one experiment, 4 searchers",
    "14_convergence.py": "converged: no gain of loss above",
    "15_early_stopping.py": "of 480 epochs",
    "16_own_points.py": "run 3 was the intern's idea; run 2 now has loss 9",
    "17_tasks.py": "for the price of 10",
    "18_transfer.py": "after 6 runs the warm start is ahead: True",
    "19_solutions.py": "3 solutions on 3 hills, the lowest at 0.9",
    "20_active_search.py": "more than twice as many: True",
    "21_noise_and_priors.py": "the recommendation is nearer to its truth: True",
    "22_train_ddp.py": "2 workers a trial, on",
    "23_train_lightning.py": "1 worker a trial, on",
    "24_gpu.py": "times among the last 12",
    "25_mlflow_inward.py": "3 runs of origin mlflow; the best has x = 0.5",
    "26_schedulers.py": "of 240 epochs",
    "27_service.py": "3 runs; the best has x = 0.5",
    "28_shared_experiment.py": "4 workers, 24 runs, 24 different points",
    "29_guardrails.py": "limits kept ten times or more: True",
    "30_tune_conditional.py": "every one keeps the guardrail: True",
    "31_tune_resume.py": "8 runs in the log, none repeated: True",
    "32_tune_side_by_side.py": "runs of 4 searchers in one table",
    "33_ready_for_production.py": "is ready for production: True",
    "34_cluster_check.py": "fit for a sweep: True",
    "35_inside_ax.py": "where memory allows no more",
    "36_roles.py": "found after the change, below 30 ms: True",
    "37_front.py": "more than ten: True",
    "38_many_at_once.py": "40 different points in 40 runs",
    "39_priors.py": "wrong is there late: True",
}


SLOW = {
    "02_sweep.py",
    "03_drop_in.py",
    "08_bring_your_own_optimizer.py",
    "12_cluster_log.py",
    "13_hosted_searchers.py",
    "15_early_stopping.py",
    "20_active_search.py",
    "22_train_ddp.py",
    "23_train_lightning.py",
    "26_schedulers.py",
    "28_shared_experiment.py",
    "30_tune_conditional.py",
    "31_tune_resume.py",
    "32_tune_side_by_side.py",
    "33_ready_for_production.py",
    "34_cluster_check.py",
}
"""Minutes in all: they train real models, start clusters within clusters, or kill and begin anew."""


def test_every_example_is_run_and_listed():
    files = {path.name for path in FOLDER.glob("*.py")}
    assert files == set(PRINTS)
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in listed for name in files)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in sorted(PRINTS)]
)
def test_the_example_prints_its_result(name, tmp_path):
    done = subprocess.run(
        [sys.executable, str(FOLDER / name)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.strip())
    assert PRINTS[name] in done.stdout
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
