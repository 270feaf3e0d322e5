"""A program that uses the names of the sigopt module is a run of its own."""

import pytest

from heliostat.testing.programs import only, ran
from heliostat.trial import State

SIGOPT = """
import {module} as sigopt

sigopt.log_dataset("name")
sigopt.log_metadata("rows", 569)
sigopt.log_metadata("environment", [1, 2])
sigopt.log_model("XGBClassifier")
sigopt.params.max_depth = 3
sigopt.params.setdefaults(dict(learning_rate=0.3, max_depth=6))
sigopt.params.update({{"gone": 1}})
del sigopt.params["gone"]
assert dict(sigopt.params) == {{"max_depth": 3, "learning_rate": 0.3}}, sigopt.params
sigopt.log_metric("accuracy", 0.9)
sigopt.log_metric(name="training and validation time (s)", value=1.5, stddev=0.1)
sigopt.log_metrics({{"f1": 0.8}}, recall=0.7)
for epoch in range(3):
    sigopt.log_checkpoint({{"loss": 1.0 / (1 + epoch)}})
{end}
"""


def check_sigopt(found):
    assert found.datasets == {"name": {}}
    assert found.metadata == {"rows": 569, "environment": "[1, 2]"}
    assert (found.model, found.assignments) == ("XGBClassifier", {"max_depth": 3, "learning_rate": 0.3})
    assert found.numbers == {
        "accuracy": 0.9,
        "training and validation time (s)": 1.5,
        "f1": 0.8,
        "recall": 0.7,
    }
    assert [point.values["loss"] for point in found.curve] == [1.0, 0.5, 1.0 / 3]


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        ("", "completed", "the program ended"),
        ("1 / 0", "failed", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "completed", "the program ended"),
        ("import sys; sys.exit(3)", "failed", "exit code 3"),
        ("raise KeyboardInterrupt", "cancelled", "KeyboardInterrupt"),
        ("sigopt.log_failure()", "failed", "reported by the user"),
        (
            "import sys\ntry:\n    sys.exit(3)\nexcept SystemExit:\n    sigopt.log_metadata('rows', 569)",
            "completed",
            "the program ended",
        ),
    ],
)
def test_a_program_without_any_run_is_one(log, tmp_path, end, state, reason):
    fails = "raise K" in end or "1 / 0" in end or end.endswith("exit(3)")
    ran(SIGOPT.format(module="heliostat", end=end), tmp_path, fails=fails)
    found = only(log)
    check_sigopt(found)
    assert (str(found.state), found.end_reason) == (state, reason)


def test_reading_parameters_and_ids_opens_no_run(log, tmp_path):
    ran(
        "import heliostat as sigopt\n"
        "assert sigopt.get_run_id() is None\n"
        "assert dict(sigopt.params) == {} and 'x' not in sigopt.params and not hasattr(sigopt.params, 'x')\n"
        "print(repr(sigopt.params))\n",
        tmp_path,
    )
    assert log.runs() == []


def test_what_was_set_on_the_module_is_what_new_runs_begin_with(log, tmp_path):
    ran(
        "import heliostat as sigopt\n"
        "sigopt.params.setdefaults(lr=0.1)\n"
        "with sigopt.create_run(name='inner') as run:\n"
        "    assert run.params.lr == 0.1\n"
        "    sigopt.params.lr = 0.2\n"
        "    assert sigopt.get_run_id() == run.id\n"
        "assert sigopt.params.lr == 0.1\n"
        "assert sigopt.get_run_id() != run.id\n",
        tmp_path,
    )
    assert {run.name == "inner": run.assignments for run in log.runs()} == {
        True: {"lr": 0.2},
        False: {"lr": 0.1},
    }


def test_child_processes_log_into_the_programs_run(log, tmp_path):
    ran(
        "import heliostat, multiprocessing, subprocess, sys\n"
        "def child(): heliostat.log_metric('forked', 1)\n"
        "if __name__ == '__main__':\n"
        "    heliostat.log_metric('parent', 0)\n"
        "    process = multiprocessing.get_context('fork').Process(target=child)\n"
        "    process.start(); process.join()\n"
        "    code = 'import heliostat; heliostat.log_metric(\"started\", 2); heliostat.params.x = 1'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n",
        tmp_path,
    )
    assert only(log).numbers == {"parent": 0.0, "forked": 1.0, "started": 2.0}
    assert (only(log).state, only(log).assignments) == (State.COMPLETED, {"x": 1})


def test_a_run_that_nobody_ends_ends_with_its_process(log, tmp_path):
    ran("import heliostat\nheliostat.create_run().log_metric('loss', 1.0)\n1 / 0", tmp_path, fails=True)
    assert (only(log).state, only(log).numbers) == (State.FAILED, {"loss": 1.0})
