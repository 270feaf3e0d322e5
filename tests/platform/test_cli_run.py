"""``heliostat run``: any command is a run, and behaves as it would alone."""

import json
import os
import pty
import selectors
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from heliostat.registry import shared_log
from heliostat.trial import State

HELIOSTAT = [sys.executable, "-m", "heliostat.cli", "run"]

TRAINING = """
import os, subprocess, sys
import heliostat as sigopt

sigopt.log_dataset("numbers")
sigopt.params.max_depth = 3
for epoch in range(3):
    sigopt.log_checkpoint({"loss": 1.0 / (1 + epoch)})
code = "import heliostat; heliostat.log_metric('in a child of the child', 1)"
subprocess.run([sys.executable, "-c", code], check=True)
sigopt.log_metric("training and validation time (s)", 1.5)
print(sigopt.get_run_id())
"""


@pytest.fixture(autouse=True)
def _own_log(log_url, monkeypatch):
    monkeypatch.setenv("HELIOSTAT_LOG", log_url)


@pytest.fixture
def log(log_url):
    with closing(shared_log(log_url)) as opened:
        yield opened


def run(*words, folder=None, **more):
    return subprocess.run([*HELIOSTAT, *words], cwd=folder, capture_output=True, check=False, **more)


def only(log):
    (found,) = log.runs()
    return log.run(found.id)


def start(*words, **more):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*HELIOSTAT, *words], **pipes, **more)


def line_of(stream):
    line = b""
    with selectors.DefaultSelector() as waiting:  # plain select takes no descriptor above 1023
        waiting.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            assert waiting.select(60), f"nothing but {line} was printed in a minute"
            line += os.read(stream.fileno(), 1)
    return line


def until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
    return True


def test_the_talks_code_is_recorded_as_it_is(log, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRAINING, encoding="utf-8")
    options = ("--name", "seed run", "--project", "vision", "--tag", "a", "--tag", "b")
    done = run(*options, "--", sys.executable, "train.py", "--epochs", "3", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = only(log)
    assert done.stdout == f"{found.id}\n".encode()
    assert done.stderr == b""
    assert (found.name, found.project, found.tags, found.state) == (
        "seed run",
        "vision",
        ("a", "b"),
        State.COMPLETED,
    )
    assert (found.datasets, found.assignments) == ({"numbers": {}}, {"max_depth": 3})
    assert found.numbers == {"training and validation time (s)": 1.5, "in a child of the child": 1.0}
    assert [point.values["loss"] for point in found.curve] == [1.0, 0.5, 1.0 / 3]
    facts, texts = found.dev_metadata, log.texts(found.id)
    assert facts["command"] == f"{sys.executable} train.py --epochs 3"
    assert facts["folder"] == str(tmp_path)
    assert "heliostat" in facts["packages"]
    assert (texts["source"], texts["stdout"]) == (TRAINING, done.stdout.decode())


def test_output_goes_through_byte_by_byte_and_kept_apart(log):
    code = (
        "import sys\n"
        "sys.stdout.buffer.write(bytes(range(256)) * 1000)\n"
        "sys.stderr.buffer.write('süß 🦉\\r\\n'.encode() * 1000)\n"
    )
    done = run("--", sys.executable, "-c", code)
    assert done.stdout == bytes(range(256)) * 1000
    assert done.stderr == "süß 🦉\r\n".encode() * 1000
    texts = log.texts(only(log).id)
    assert texts["stderr"] == "süß 🦉\r\n" * 1000
    assert texts["stdout"].startswith("\x00\x01")


def test_output_appears_while_the_command_runs(log):
    code = "import sys; print('ready'); sys.stdin.readline(); print('done')"
    with start("--", sys.executable, "-c", code, stdin=subprocess.PIPE) as process:
        assert line_of(process.stdout) == b"ready\n"
        until(lambda: log.texts(only(log).id).get("stdout") == "ready\n")
        process.stdin.write(b"go on\n")
        process.stdin.close()
        assert process.stdout.read() == b"done\n"
    assert process.returncode == 0
    assert only(log).state is State.COMPLETED


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["sh", "-c", "echo first >&2; echo 'out of memory' >&2; exit 3"], 3, "exit code 3: out of memory"),
        (["sh", "-c", "kill -9 $$"], 137, "killed by SIGKILL"),
        (["sh", "-c", "kill -TERM $$"], 143, "killed by SIGTERM"),
        (["no-such-program"], 127, "no-such-program: No such file or directory"),
        ([os.sep], 126, "/: Permission denied"),
    ],
)
def test_a_failing_command_fails_the_run_and_its_code_comes_out(log, words, code, message):
    assert run("--", *words).returncode == code
    assert (only(log).state, only(log).failure.message) == (State.FAILED, message)


def test_the_exception_of_a_program_is_in_the_failure(log):
    done = run("--", sys.executable, "-c", "raise ValueError('bad data')")
    assert done.returncode == 1
    failure = only(log).failure
    assert (failure.kind, failure.message) == ("exit_code", "exit code 1: ValueError: bad data")
    assert failure.traceback == done.stderr.decode()


def test_a_failure_that_the_program_logs_is_one_though_it_exits_well(log):
    code = "import heliostat; heliostat.log_failure('diverged'); heliostat.log_metric('loss', 3)"
    assert run("--", sys.executable, "-c", code).returncode == 0
    assert (only(log).state, only(log).failure.message) == (State.FAILED, "diverged")
    assert only(log).numbers == {"loss": 3.0}


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_reach_the_command_and_cancel_the_run(log, sent, code):
    # A session of its own has no terminal, as in a scheduler: nobody else tells the command.
    with start("--", "sh", "-c", "echo ready; exec sleep 60", start_new_session=True) as process:
        assert line_of(process.stdout) == b"ready\n"
        process.send_signal(sent)
        assert process.wait(60) == code
    assert (only(log).state, only(log).end_reason) == (State.CANCELLED, sent.name)


def test_a_command_that_takes_ctrl_c_well_ends_well_but_is_cancelled(log):
    code = "trap 'echo saved; exit 0' INT; echo ready; while :; do sleep 0.1; done"
    with start("--", "bash", "-c", code, start_new_session=True) as process:
        assert line_of(process.stdout) == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stdout.read() == b"saved\n"
    assert only(log).state is State.CANCELLED
    assert log.texts(only(log).id)["stdout"] == "ready\nsaved\n"


def test_ctrl_c_at_a_terminal_is_told_once(log, tmp_path):
    """The terminal tells everybody in its foreground, so passing it on would tell the command twice."""
    counting = (
        "import signal, sys, time\n"
        "told = []\n"
        "signal.signal(signal.SIGINT, lambda *_: told.append(1))\n"
        "print('ready', flush=True)\n"
        "deadline = time.monotonic() + 60\n"
        "while not told and time.monotonic() < deadline: time.sleep(0.05)\n"
        "time.sleep(0.5)\n"
        "print('told', len(told))\n"
    )
    parent, terminal = pty.openpty()
    owning = (
        "import fcntl, os, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    words = [sys.executable, "-c", owning, *HELIOSTAT, "--", sys.executable, "-c", counting]
    with subprocess.Popen(words, stdin=terminal, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert line_of(process.stdout) == b"ready\n"
        os.write(parent, b"\x03")
        assert process.stdout.read() == b"told 1\n"
    os.close(parent)
    os.close(terminal)
    assert only(log).state is State.CANCELLED


def test_when_run_itself_is_killed_what_was_streamed_is_there(log):
    code = "import sys; print('precious'); sys.stdout.flush(); sys.stdin.readline()"
    with start("--", sys.executable, "-c", code, stdin=subprocess.PIPE) as process:
        assert line_of(process.stdout) == b"precious\n"
        until(lambda: "stdout" in log.texts(only(log).id))
        process.kill()
        process.wait(60)
    assert log.texts(only(log).id)["stdout"] == "precious\n"
    assert only(log).state is State.ACTIVE
    assert only(log).dev_metadata["command"]


def test_a_run_whose_process_was_killed_is_lost_when_somebody_looks(log):
    with start("--", sys.executable, "-c", "input()", stdin=subprocess.PIPE) as process:
        until(lambda: log.runs() and "process" in only(log).dev_metadata)
        settled = subprocess.run(
            [*HELIOSTAT[:-1], "log", "settle"], capture_output=True, text=True, check=True
        )
        assert settled.stdout == "nothing was left behind\n"
        process.kill()
        process.wait(60)
    settled = subprocess.run([*HELIOSTAT[:-1], "log", "settle"], capture_output=True, text=True, check=True)
    assert settled.stdout == f"run {only(log).id} ({only(log).name}) is lost\n"
    assert (only(log).state, only(log).failure.kind) == (State.LOST, "lost")


def test_a_reader_that_goes_away_ends_the_command_as_it_would_alone(log):
    words = " ".join([*HELIOSTAT, "--", "sh", "-c", "'while :; do echo line || exit 7; done'"])
    done = subprocess.run(f"{words} | head -n 2", shell=True, capture_output=True, timeout=120, check=True)
    assert done.stdout == b"line\nline\n"
    until(lambda: not only(log).state.is_open)
    assert only(log).state is State.FAILED


def test_capture_can_be_chosen(log, tmp_path):
    code = "import heliostat; print('hello'); heliostat.log_metric('loss', 1)"
    assert run("--capture", "none", "--", sys.executable, "-c", code).returncode == 0
    found = only(log)
    assert (found.numbers, found.dev_metadata, log.texts(found.id)) == ({"loss": 1.0}, {}, {})
    wrong = run("--capture", "everything", "--", "true")
    assert wrong.returncode == 2
    assert b"must name known parts" in wrong.stderr


def test_another_log_and_no_command(log, tmp_path):
    other = tmp_path / "other.db"
    code = "import heliostat; heliostat.log_metric('loss', 1)"
    assert run("--log", str(other), "--", sys.executable, "-c", code).returncode == 0
    assert log.runs() == []
    assert shared_log(other).runs()[0].numbers == {"loss": 1.0}
    assert run().returncode == 2


def test_a_wrong_variable_is_named(tmp_path):
    for text in ("7", json.dumps({"run": 1})):
        done = subprocess.run(
            [sys.executable, "-c", "import heliostat; heliostat.log_metric('loss', 1)"],
            env={**os.environ, "HELIOSTAT_RUN": text},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "HELIOSTAT_RUN: must be what heliostat run put there" in done.stderr
