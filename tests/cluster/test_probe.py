"""What a node tells of itself."""

import http.server
import socket
import threading
import time

import pytest

import heliostat as hs
from heliostat.inspection.probe import CHECKED, Probe

PROBE = Probe()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_listener_is_seen_with_its_address(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listening:
        try:
            listening.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listening.listen()
        port = listening.getsockname()[1]
        assert PROBE.listeners({port: "dashboard", 1: "GCS"}) == [("dashboard", address, port)]


def test_the_storage_is_written_seen_and_left_as_it_was(tmp_path):
    place = str(tmp_path / "shared")
    assert PROBE.write_storage(place, "a") == ""
    assert PROBE.missing(place, ["a", "b"]) == ["b"]
    PROBE.tidy_storage(place, "a")
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_storage_that_cannot_be_written_says_why(tmp_path):
    (tmp_path / "file").write_text("")
    assert "Error" in PROBE.write_storage(str(tmp_path / "file" / "below"), "a")
    assert PROBE.write_storage("nonsense://x", "a")


def test_the_log_is_written_to_in_a_project_that_nobody_sees(log_url):
    assert PROBE.log(log_url) == ""
    assert PROBE.log(log_url) == ""
    (project,) = hs.open_log(log_url).projects()
    assert (project.id, project.archived) == (CHECKED, True)


def test_a_log_that_does_not_answer_says_why_and_no_password():
    said = PROBE.log("postgresql://nobody:hidden@127.0.0.1:1/none")
    assert said.startswith("StorageError")
    assert "hidden" not in said


def test_a_service_that_is_not_ready_is_told_from_one_that_is():
    class NotReady(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if ready else 503)
            self.end_headers()

        def log_message(self, *_):
            """Quiet."""

    ready = False
    with http.server.HTTPServer(("127.0.0.1", 0), NotReady) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        assert PROBE.answers(url) == "HTTP 503 at /readyz"
        ready = True
        assert PROBE.answers(url) == ""
        server.shutdown()
        thread.join()
    assert "URLError" in PROBE.answers(url)


def test_a_node_tells_its_versions_mode_and_time():
    about = PROBE.about()
    assert about["versions"]["heliostat"] == hs.__version__
    assert about["host"] == socket.gethostname()
    assert abs(PROBE.clock() - time.time()) < 1
