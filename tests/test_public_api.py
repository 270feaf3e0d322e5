"""The public names are those that are promised, and importing them is quick."""

import subprocess
import sys

import pytest

import heliostat


def test_every_promised_name_is_there_and_no_other():
    for name in heliostat.__all__:
        assert getattr(heliostat, name) is not None
    assert dir(heliostat) == sorted(heliostat.__all__)


# What code written for the sigopt module calls on it, Connection (the wire's client) aside.
SIGOPT = """
    params log_checkpoint log_dataset log_failure log_image log_metadata log_metric log_metrics log_model
    create_run create_aiexperiment create_experiment create_project get_aiexperiment get_experiment
    archive_aiexperiment archive_experiment unarchive_aiexperiment unarchive_experiment archive_run
    unarchive_run get_run upload_runs get_run_id set_project
"""


def test_the_names_of_the_sigopt_module_are_there():
    missing = [name for name in SIGOPT.split() if not hasattr(heliostat, name)]
    assert missing == []


HEAVY = {"ray", "torch", "botorch", "ax", "sklearn", "pandas", "plotly", "mlflow", "sqlalchemy"}


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import heliostat.cli.main, heliostat.cli.ls, heliostat.cli.show, heliostat.cli.best", HEAVY),
        (
            "import heliostat; [getattr(heliostat, name) for name in heliostat.__all__]",
            HEAVY | {"scipy", "httpx2"},
        ),
    ],
    ids=["the command line", "declaring an experiment"],
)
def test_heavy_libraries_are_loaded_when_they_are_needed(code, heavy):
    shown = f"{code}\nimport sys\nprint(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_can_be_imported_without_the_extras():
    code = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from heliostat import *\n"
        "try: connect('http://localhost:1', 'a token')\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the client needs httpx2" in done.stdout
    assert "pip install 'heliostat[client]'" in done.stdout


def test_importing_heliostat_loads_nothing_else():
    code = (
        "import sys, heliostat\n"
        "print([name for name in sys.modules if name.startswith(('heliostat', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['heliostat']"
