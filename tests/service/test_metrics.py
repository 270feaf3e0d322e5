"""What ``/metrics`` tells: every process, and how each experiment's steward stands."""

from prometheus_client.parser import text_string_to_metric_families as parsed

from heliostat.testing.service import Caller

EXPERIMENT = {
    "name": "watched",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "loss", "objective": "minimize"}],
    "observation_budget": 40,
    "parallel_bandwidth": 4,
    "searcher": "sobol",
}


def samples(caller):
    """Name and labels → value; the text is Prometheus's, or this fails."""
    answer = caller.call("GET", "/metrics")
    assert answer.status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parsed(answer.content.decode())
        for sample in family.samples
    }


def told(caller, name, **labels):
    """The values of a name whose labels are at least these."""
    wanted = set(labels.items())
    return [value for (found, has), value in samples(caller).items() if found == name and wanted <= has]


def test_calls_are_counted_by_route_and_process(writer, reader):
    writer.ok("GET", "/v1/tokens/self")
    before = told(writer, "heliostat_requests_total", route="/tokens/self", method="GET", status="200")
    writer.ok("GET", "/v1/tokens/self")
    after = told(writer, "heliostat_requests_total", route="/tokens/self", method="GET", status="200")
    assert sum(after) == sum(before) + 1
    assert all(
        dict(has).get("process") for (name, has) in samples(reader) if name == "heliostat_requests_total"
    )


def test_each_stewards_open_runs_askings_thinking_and_lag_are_told(host, writer):
    experiment = writer.ok("POST", "/v1/experiments", EXPERIMENT)["id"]
    at, of = f"/v1/experiments/{experiment}", {"experiment": str(experiment)}
    assert told(writer, "heliostat_open_runs", **of) == []
    runs = writer.ok("POST", f"{at}/ask", {"count": 3})["runs"]
    assert told(writer, "heliostat_open_runs", **of) == [3]
    assert told(writer, "heliostat_askings_total", **of) == [1]
    assert told(writer, "heliostat_waiting_askings", **of) == [0]
    assert told(writer, "heliostat_thinking_total", **of)[0] >= 1
    assert told(writer, "heliostat_thinking_seconds_total", **of)[0] > 0
    for run in runs:
        writer.ok("POST", f"{at}/tell", {"run": run["id"], "values": {"loss": 1.0}})
    writer.ok("POST", f"{at}/ask", {})
    assert told(writer, "heliostat_open_runs", **of) == [1]
    assert told(writer, "heliostat_log_lag_events", **of) == [0]


def test_who_has_no_token_is_told_nothing(host):
    assert Caller(host).call("GET", "/metrics").status == 401
