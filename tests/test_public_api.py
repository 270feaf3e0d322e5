"""The public names are those that are promised, and importing them is quick."""

import subprocess
import sys

import heliostat


def test_every_promised_name_is_there_and_no_other():
    for name in heliostat.__all__:
        assert getattr(heliostat, name) is not None
    assert dir(heliostat) == sorted(heliostat.__all__)


def test_the_command_line_starts_without_the_heavy_libraries():
    code = (
        "import sys, heliostat.cli.main, heliostat.cli.ls, heliostat.cli.show, heliostat.cli.best\n"
        "heavy = {'ray', 'torch', 'botorch', 'ax', 'sklearn', 'pandas', 'plotly', 'mlflow', 'sqlalchemy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_heliostat_loads_nothing_else():
    code = (
        "import sys, heliostat\n"
        "print([name for name in sys.modules if name.startswith(('heliostat', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['heliostat']"
