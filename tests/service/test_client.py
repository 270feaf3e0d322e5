"""The service from Python: the local API's methods over HTTP, repeated safely."""

import asyncio
import math

import pytest

import heliostat as hs
from heliostat.client import ServiceError
from heliostat.errors import Conflict, InvalidValue, NotFound, StorageError
from heliostat.experiment import read_experiment
from heliostat.trial import State

SPACE = {
    "parameters": [hs.Double("x", -5, 5), hs.Categorical("kind", ["a", "b"])],
    "metrics": [hs.minimize("loss")],
    "searcher": "sobol",
}


@pytest.fixture
def remote(writer):
    with hs.connect(writer.url, writer.token) as remote:
        yield remote


@pytest.fixture
def experiment(remote):
    return remote.create_experiment("bowl", project="client", budget=5, **SPACE)


def test_the_first_form_a_user_meets(experiment):
    for run in experiment.loop(name="first"):
        run.log_metric("loss", run["x"] ** 2)
    runs = experiment.runs()
    assert [run.number for run in runs] == [1, 2, 3, 4, 5]
    assert {(run.state, run.name) for run in runs} == {(State.COMPLETED, "first")}
    assert experiment.best().numbers["loss"] == min(run.numbers["loss"] for run in runs)
    assert experiment.is_finished()
    with pytest.raises(InvalidValue, match="budget is used up"):
        experiment.ask()


def test_a_declaration_comes_back_as_it_was_sent(remote, experiment):
    sent = read_experiment({"name": "bowl", "project": "client", "budget": 5, **SPACE})
    back = experiment.spec
    assert set(back.space.parameters) == set(sent.space.parameters)
    assert (back.metrics, back.budget, back.searcher) == (sent.metrics, 5, "sobol")
    assert remote.experiment(experiment.id).name == "bowl"
    assert experiment.id in [other.id for other in remote.experiments("client")]


def test_failures_are_told_with_their_reason(experiment):
    with experiment.ask() as run:
        raise RuntimeError("no such kernel")
    assert (run.ended.state, "no such kernel" in run.ended.end_reason) == (State.FAILED, True)
    nan = experiment.ask()
    nan.log_metric("loss", math.nan)
    assert (nan.end().state, "nan" in nan.end().end_reason) == (State.FAILED, True)
    forgotten = experiment.ask().end()
    assert forgotten.failure.kind == "missing_metric"


def test_ctrl_c_gives_the_run_back(experiment):
    with pytest.raises(KeyboardInterrupt), experiment.ask():
        raise KeyboardInterrupt
    for run in experiment.loop(budget=5):
        run.log_metric("loss", 1)
    assert len([run for run in experiment.runs() if run.state is State.COMPLETED]) == 5


def test_own_points_and_the_queue(experiment):
    added = experiment.add({"x": 7, "kind": "a"}, {"loss": (0.5, 0.1)})
    assert (added.origin, added.values["loss"].stddev, added.state) == ("user", 0.1, State.COMPLETED)
    id = experiment.queue({"x": 1, "kind": "b"})
    gone = experiment.queue({"x": 2, "kind": "b"})
    experiment.unqueue(gone)
    assert [int(item["id"]) for item in experiment.queued()] == [id]
    assert dict(experiment.ask().params) == {"x": 1, "kind": "b"}
    with pytest.raises(InvalidValue, match="kind"):
        experiment.queue({"x": 1, "kind": "c"})


def test_what_is_known_can_be_set_right(experiment):
    run = experiment.tell(experiment.ask(), {"loss": 1.0})
    assert experiment.update_run(run, {"loss": 3.0}).numbers == {"loss": 3.0}
    experiment.delete_run(run)
    assert experiment.runs() == []
    assert experiment.update(budget=9).budget == 9
    experiment.archive()
    with pytest.raises(InvalidValue, match="archived"):
        experiment.ask()


def test_a_curve_is_reported_as_it_grows(experiment, reader):
    run = experiment.ask()
    assert not run.log_checkpoint({"loss": 3.0}, step=1).should_stop
    run.log_checkpoint({"loss": 2.0}, step=2)
    run.heartbeat()
    assert run.end().numbers == {"loss": 2.0}
    curve = reader.ok("GET", f"/v1/training_runs/{run.id}/checkpoints")
    assert curve["count"] == 2
    with pytest.raises(Conflict, match="has ended"):
        run.log_checkpoint({"loss": 1.0}, step=3)


def test_a18_a_lost_run_is_handed_to_somebody_else_and_a_late_report_refused(experiment):
    lost = experiment.ask(lease=0.01)
    again = experiment.ask()
    while again.id != lost.id:  # the lease is over once the clock has moved on
        experiment.tell(again, {"loss": 1.0})
        again = experiment.ask()
    assert (again.attempt, dict(again.params)) == (2, dict(lost.params))
    with pytest.raises(Conflict, match="another attempt"):
        experiment.tell(lost, {"loss": 9.0})
    assert experiment.tell(again, {"loss": 1.0}).numbers == {"loss": 1.0}


def test_a_repeated_asking_is_one(writer, experiment):
    headers = {"Idempotency-Key": "worker 7, first"}
    path = f"/v1/experiments/{experiment.id}/ask"
    first = writer.ok("POST", path, {"count": 2}, headers=headers)
    assert writer.ok("POST", path, {"count": 2}, headers=headers)["runs"] == first["runs"]
    assert writer.call("POST", path, {"count": 1}, headers=headers).status == 409
    assert len(experiment.runs()) == 2


def test_a_repeated_report_is_one_point(writer, experiment):
    run = experiment.ask()
    path, headers = f"/v1/experiments/{experiment.id}/report", {"Idempotency-Key": "point 1"}
    body = {"run": str(run.id), "step": 1, "values": {"loss": 2.0}}
    assert writer.ok("POST", path, body, headers=headers) == writer.ok("POST", path, body, headers=headers)


def test_events_are_followed(remote, experiment):
    after = max(event.seq for event in remote.events(experiment=experiment.id))
    run = experiment.ask()
    experiment.tell(run, {"loss": 1.0})
    events = remote.events(after, follow=True, experiment=experiment.id)
    seen = [next(events).kind]
    while seen[-1] != "FinishRun":
        seen.append(next(events).kind)
    assert "CreateRun" in seen


def test_event_loops_do_the_same(writer):
    async def work(remote, id):
        experiment = await remote.experiment(id)
        async for run in experiment.loop():
            run.log_metric("loss", run["x"] ** 2)
        return len(await experiment.runs())

    async def main():
        async with hs.connect_async(writer.url, writer.token) as remote:
            made = await remote.create_experiment("many", project="client", budget=20, **SPACE)
            counts = await asyncio.gather(*(work(remote, made.id) for _ in range(8)))
            return counts, await made.runs(), await made.is_finished(), await made.best_runs()

    counts, runs, is_finished, best = asyncio.run(main())
    assert (len(runs), is_finished, len(best)) == (20, True, 1)
    assert max(counts) == 20
    assert len({run.assignments["x"] for run in runs}) == 20


def test_refusals_are_the_errors_of_the_local_api(remote, writer):
    with pytest.raises(NotFound):
        remote.experiment(987654)
    with hs.connect(writer.url, "hs_wrong") as stranger, pytest.raises(ServiceError, match="token"):
        stranger.experiment(1)
    with (
        hs.connect("http://127.0.0.1:9", "x", patience=0.2) as nowhere,
        pytest.raises(StorageError, match="cannot be reached"),
    ):
        nowhere.experiment(1)


def test_a_hopeless_run_is_told_to_stop(remote):
    facts = {"early_stopping": "auto"}
    made = remote.create_experiment("curves", project="client", budget=50, metadata=facts, **SPACE)
    for place in range(8):
        good = made.ask()
        for step in range(1, 21):
            good.log_checkpoint({"loss": 1 / step + place / 100}, step=step)
        assert good.end().state is State.COMPLETED
    hopeless, said = made.ask(), []
    for step in range(1, 15):
        said.append(hopeless.log_checkpoint({"loss": 5.0 + 1 / step}, step=step))
    assert said[-1].should_stop
    assert "early-stopped" in said[-1].reasons["early_stopping"]
    assert hopeless.stop(said[-1]).state is State.EARLY_STOPPED
