"""What is recorded without being asked: where it goes, what it costs, how it is switched off."""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.registry import shared_log
from heliostat.tracking.capture import packages
from heliostat.tracking.capture.git import LARGEST_DIFF, version
from heliostat.tracking.capture.parts import PARTS, read_parts
from heliostat.tracking.capture.programs import answer_of
from heliostat.trial import State

PROGRAM = """
import sys
import heliostat

with heliostat.create_run(name="captured") as run:
    print("to stdout 🦉")
    print("to stderr", file=sys.stderr)
    import json.tool, colorsys, yaml
    run.log_metric("loss", 1.0)
print("after the end")
"""


@pytest.fixture(autouse=True)
def _own_log(log_url, monkeypatch):
    monkeypatch.setenv("HELIOSTAT_LOG", log_url)
    monkeypatch.delenv("HELIOSTAT_CAPTURE", raising=False)


@pytest.fixture
def log(log_url):
    with closing(shared_log(log_url)) as opened:
        yield opened


def git(folder, *words):
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """A project of somebody's, with one commit."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(PROGRAM, encoding="utf-8")
    git(folder, "init", "-q", "-b", "work")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def train(folder, *words, **environment):
    done = subprocess.run(
        [sys.executable, str(folder / "train.py"), *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_program_that_only_opens_a_run_leaves_all_this(log, repository):
    head = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = train(repository, "--epochs", "3 4")
    assert (done.stdout, done.stderr) == ("to stdout 🦉\nafter the end\n", "to stderr\n")
    (run,) = log.runs()
    facts, texts = run.dev_metadata, log.texts(run.id)
    assert (facts["git.commit"], facts["git.branch"], facts["git.dirty"]) == (head, "work", False)
    assert run.source_hash == head
    assert texts["source"] == PROGRAM
    assert texts["stdout"] == "to stdout 🦉\n"
    assert texts["stderr"] == "to stderr\n"
    assert "diff" not in texts
    assert facts["command"].endswith("train.py --epochs '3 4'")
    assert facts["folder"] == str(repository)
    assert facts["python"] == sys.version.partition(" ")[0]
    assert {"heliostat", "numpy", "yaml"} <= set(facts["packages"])
    assert "json" not in facts["packages"]
    assert f"heliostat=={hs.__version__}\n" in texts["packages"]
    assert facts["host"]
    assert facts["cpus"] == os.cpu_count()
    assert facts["user"] == run.user != ""
    assert facts["peak_memory_mb"] > 10
    assert run.seconds >= 0
    assert run.metadata == {}
    assert run.project == "project"


def test_what_the_tree_adds_to_the_commit_is_kept(log, repository):
    with (repository / "train.py").open("a", encoding="utf-8") as file:
        file.write("# an experiment\n")
    train(repository)
    (run,) = log.runs()
    assert run.dev_metadata["git.dirty"] is True
    assert "+# an experiment" in log.texts(run.id)["diff"]


def test_everything_can_be_switched_off(log, repository):
    train(repository, HELIOSTAT_CAPTURE="none")
    train(repository, HELIOSTAT_CAPTURE="host")
    train(repository, HELIOSTAT_CAPTURE="-output,-packages,-git")
    nothing, host, most = log.runs()
    assert (nothing.dev_metadata, log.texts(nothing.id), nothing.user) == ({}, {}, "")
    assert set(host.dev_metadata) == {"host", "user", "cpus", "os", "process"}
    assert set(log.texts(most.id)) == {"source"}
    assert {run.state for run in log.runs()} == {State.COMPLETED}


def test_reading_parts():
    everything = frozenset(PARTS)
    assert read_parts() == read_parts(True) == read_parts("all") == everything
    assert read_parts(False) == read_parts("none") == read_parts(()) == frozenset()
    assert read_parts("git, host") == read_parts(["git", "host"]) == {"git", "host"}
    assert read_parts("-git") == everything - {"git"}
    for wrong in ("gti", "git,-host"):
        with pytest.raises(InvalidValue, match="capture"):
            read_parts(wrong)


def test_output_goes_to_the_innermost_run_of_its_thread(log, capsys):
    heard = logging.StreamHandler(sys.stderr)  # holds the stream since before the run
    logger = logging.getLogger("somebody")
    logger.addHandler(heard)
    before = sys.stdout.write

    def work(name):
        with hs.create_run(name=name, capture="output"):
            for step in range(20):
                print(name, step)

    with hs.create_run(name="outer", capture="output"):
        print("one")
        with hs.create_run(name="inner", capture="output"):
            print("two")
            logger.warning("logged")
        threads = [threading.Thread(target=work, args=(f"thread {place}",)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        helper = threading.Thread(target=print, args=("helped",))
        helper.start()
        helper.join()
        with hs.create_run(name="deaf", capture="none"):
            print("three")
    print("four")
    logger.removeHandler(heard)
    texts = {run.name: log.texts(run.id) for run in log.runs()}
    assert texts["outer"] == {"stdout": "one\nhelped\nthree\n"}
    assert texts["inner"] == {"stdout": "two\n", "stderr": "logged\n"}
    for place in range(4):
        lines = [f"thread {place} {step}\n" for step in range(20)]
        assert texts[f"thread {place}"] == {"stdout": "".join(lines)}
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("one", "two", "helped", "three", "four"))
    assert sys.stdout.write == before


def test_output_streams_while_the_run_is_open(log):
    run = hs.create_run(capture="output")
    print("early")
    deadline = time.monotonic() + 60
    while "stdout" not in log.texts(run.id) and time.monotonic() < deadline:
        pass
    assert log.texts(run.id) == {"stdout": "early\n"}
    print("x" * 200_000)
    run.end()
    assert log.texts(run.id) == {"stdout": "early\n" + "x" * 200_000 + "\n"}


def test_a_stream_that_others_wrap_meanwhile_keeps_working(log, capsys):
    run = hs.create_run(capture="output")
    heard = []
    inner = sys.stdout.write

    def wrapped(text):
        heard.append(text)
        return inner(text)

    sys.stdout.write = wrapped
    print("both")
    run.end()
    print("still there")
    assert sys.stdout.write is wrapped
    del sys.stdout.write
    assert "".join(heard) == "both\nstill there\n"
    assert log.texts(run.id) == {"stdout": "both\n"}


def test_the_version_of_code(repository, tmp_path):
    assert version([tmp_path]) is None
    found = version([tmp_path, repository])
    assert (found.branch, found.is_dirty, found.diff) == ("work", False, "")
    (repository / "train.py").write_text("x" * 80 + "\n" + "y\n" * LARGEST_DIFF, encoding="utf-8")
    large = version([repository])
    assert large.is_dirty
    assert large.diff.endswith("[the difference beyond 1 MiB is not kept]\n")
    assert len(large.diff) < LARGEST_DIFF + 100


def test_a_folder_with_no_commit_has_no_version(repository, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert version([empty]) is None


def test_programs_that_hang_or_fail_or_are_not_there_give_no_answer():
    assert answer_of([sys.executable, "-c", "print(3)"], seconds=20) == "3\n"
    assert answer_of([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.2) is None
    assert answer_of([sys.executable, "-c", "raise SystemExit(1)"], seconds=20) is None
    assert answer_of(["/nowhere/nvidia-smi"], seconds=1) is None
    endless = "while True: print('x' * 1000)"
    assert len(answer_of([sys.executable, "-c", endless], seconds=20, most=5000)) == 5000


def test_names_of_gpus_come_from_the_driver(log, repository, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    driver = programs / "nvidia-smi"
    line = "echo 'NVIDIA H100 80GB HBM3, 81559, 4, [N/A]'"
    driver.write_text(f"#!/bin/sh\n{line}\n{line}\n")
    driver.chmod(0o755)
    train(repository, PATH=f"{programs}:{os.environ['PATH']}")
    assert log.runs()[0].dev_metadata["gpus"] == ["NVIDIA H100 80GB HBM3"] * 2


def test_a_driver_that_hangs_is_not_waited_for(log, repository, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    driver = programs / "nvidia-smi"
    driver.write_text("#!/bin/sh\nexec sleep 600\n")
    driver.chmod(0o755)
    train(repository, PATH=f"{programs}:{os.environ['PATH']}")  # ten minutes, were it waited for
    (run,) = log.runs()
    assert (run.state, "gpus" in run.dev_metadata) == (State.COMPLETED, False)
    assert run.dev_metadata["git.commit"]


def test_installed_packages_are_those_that_pip_knows():
    from importlib.metadata import version as declared

    found = packages.installed()
    for name in ("numpy", "scikit-learn", "sqlalchemy", "typing-extensions", "heliostat"):
        assert found[name] == declared(name)
    assert packages.imported()["numpy"] == declared("numpy")
