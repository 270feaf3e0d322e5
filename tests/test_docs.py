"""What the README says is what happens."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
HELIOSTAT = [sys.executable, "-m", "heliostat.cli"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def done(folder):
    """What the ten lines said."""
    code = next(text for language, text in BLOCKS if language == "python")
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def commands():
    for language, text in BLOCKS:
        if language == "bash":
            yield from (line.partition("#")[0].strip() for line in text.splitlines() if line.strip())


def test_the_readme_is_short():
    assert len(README.split()) <= 700


def test_every_fenced_block_is_one_that_this_file_runs():
    assert {language for language, _ in BLOCKS} == {"bash", "python", "text"}


def test_the_ten_lines_print_what_the_readme_says(done):
    printed = next(text for language, text in BLOCKS if language == "text")
    assert done.stdout == printed, done.stderr


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("heliostat ")])
@pytest.mark.usefixtures("done")
def test_each_command_works_on_what_the_ten_lines_made(folder, command):
    done = subprocess.run(
        [*HELIOSTAT, *shlex.split(command)[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("make ")])
def test_each_make_target_exists(command):
    target = command.split()[1]
    dry = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def test_every_link_and_picture_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_of_the_command_line_is_in_the_readme():
    from heliostat.cli.main import COMMANDS

    for name in COMMANDS:
        assert re.search(rf"\bheliostat {name}\b", README), name


def test_every_searcher_is_in_the_readme():
    from heliostat.registry import SEARCHERS, names

    for name in names(SEARCHERS):
        assert f"`{name}`" in README
