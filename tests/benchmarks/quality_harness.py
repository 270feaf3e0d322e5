"""One cell: a problem, a method in a process of its own, a seed, and a virtual clock for many workers."""

from __future__ import annotations

import heapq
import json
import os
import select
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from quality_methods import ONE_THREAD, PEERS, Method
from quality_problem import Problem, Setting
from quality_traces import Trace

from heliostat.errors import InvalidValue

PATIENCE = 900.0
"""Wall seconds that one answer may take."""

LOST_SHARE, RUN_SIGMA = 0.05, 1.0
"""Of runs on a virtual clock: the share that is lost, and the spread of the logarithm of their time."""

RECOMMEND_EVERY = 5
"""Trials between two recommendations under noise."""


class PeerError(Exception):
    """A method gave up, or did not answer."""


class Peer:
    """A method's process.

    Args:
        method: Which one.
        environments: Folder of the peers' virtual environments.
        log: Where its standard error goes.
    """

    def __init__(self, method: Method, environments: Path, log: Any) -> None:
        self.process = subprocess.Popen(
            [str(method.python(environments)), "-W", "ignore", str(PEERS / method.driver)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env={**os.environ, **ONE_THREAD, "PYTHONHASHSEED": "0"}, text=True, bufsize=1,
        )  # fmt: skip

    def call(self, op: str, **message: Any) -> dict[str, Any]:
        """One question and its answer."""
        try:
            self.process.stdin.write(json.dumps({"op": op, **message}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise PeerError("its process ended") from None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise PeerError("its process ended" if ready else f"no answer in {PATIENCE:.0f} s")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process, politely first."""
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def play(problem: Problem, method: Method, seed: int, environments: Path, log: Any) -> Trace:
    """The whole run; one that breaks off carries the reason and what it had."""
    trace = Trace(method.name, problem.name, seed)
    peer = Peer(method, environments, log)
    try:
        cell = Cell(problem, peer, trace)
        started = peer.call("start", **cell.opening(method.options))
        trace.versions = started["versions"]
        cell.run()
        trace.rss_mb = peer.call("stop")["rss_mb"]
    except PeerError as error:
        trace.error = str(error)
    finally:
        peer.close()
    return trace


class Cell:
    """The loop of one run: workers ask, run for their time, and tell."""

    def __init__(self, problem: Problem, peer: Peer, trace: Trace) -> None:
        self.problem, self.peer, self.trace = problem, peer, trace
        self.setting = Setting(trace.seed)
        self.names = [item.name for item in problem.spec.space.dimensions]
        self.open: list[tuple[float, int]] = []
        self.spent, self.clock, self.free_at = 0.0, 0.0, 0.0
        self.idle_since = [0.0] * problem.workers

    def opening(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The first message."""
        problem, seed = self.problem, self.trace.seed
        spec = replace(problem.spec, seed=seed).to_dict()
        sources = [dict(row) for row in problem.sources(seed)] if problem.sources else []
        return {
            "seed": seed, "budget": problem.spec.budget, "spec": spec, "sources": sources, "options": options,
        }  # fmt: skip

    def run(self) -> None:
        """Until the budget is spent."""
        self.fill()
        while self.open or self.spent < self.limit:
            while self.idle_since and self.spent < self.limit and self.begin():
                pass
            ended, trial = heapq.heappop(self.open)
            self.clock = ended
            self.idle_since.append(ended)
            self.end(trial, ended)

    @property
    def limit(self) -> float:
        """What may be spent: a hair less than the budget, since costs are sums of decimals."""
        return self.problem.budget - self.problem.prefill - 1e-9

    def fill(self) -> None:
        """Tell what was observed before the first suggestion; it is not part of the trace."""
        from heliostat.space import sample

        rng = np.random.default_rng([self.trace.seed, 18])
        for place, values in enumerate(sample(self.problem.spec.space, rng, self.problem.prefill)):
            truth = self.problem.function(values, self.setting)
            self.tell(place + 1, values, None, "completed", dict(truth))

    def begin(self) -> bool:
        """Ask for one trial and evaluate it; what came out is told when its time is over.

        Returns:
            Whether there is one: a method may wait for the next result, if one is under way.
        """
        trace, trial = self.trace, len(self.trace)
        answer = self.peer.call("ask", trial=self.problem.prefill + trial + 1)
        if answer["assignments"] is None:
            if not self.open:
                raise PeerError("it proposes nothing while nothing is under way")
            return False
        free = self.idle_since.pop(0)
        values, task = answer["assignments"], answer.get("task") or self.problem.full_task
        try:
            values = self.problem.spec.space.check(values)
        except InvalidValue:
            trace.illegal.append(trial)
        truth = self.outcome(values, task)
        trace.x.append([values.get(name) for name in self.names])
        trace.cpu.append(answer["cpu"])
        if self.problem.spec.tasks:
            trace.tasks.append(task)
        trace.y.append(None)
        if self.problem.noise is not None:
            trace.f.append(None if truth is None else self.listed(truth))
        seen = truth and self.problem.observed(truth, values, trace.seed, trial)
        asked = max(self.clock, self.free_at)
        self.free_at = begun = asked + answer["cpu"]
        seconds, is_lost = self.fate(trial, values)
        if is_lost:
            trace.lost.append(trial)
        else:
            trace.y[trial] = None if seen is None else self.listed(seen)
            self.spent += self.problem.cost(task)
        if self.problem.workers > 1:
            trace.times.append([free, begun, begun + seconds])
        heapq.heappush(self.open, (begun + seconds, trial))
        return True

    def outcome(self, values: Mapping[str, Any], task: str | None) -> Mapping[str, float] | None:
        """Noise-free values; None where the run fails."""
        try:
            return self.problem.function(values, replace(self.setting, task=task))
        except (KeyError, ValueError) as error:  # an illegal suggestion that nothing can be made of
            raise PeerError(f"suggested {values}: {error}") from error

    def fate(self, trial: int, values: Mapping[str, Any]) -> tuple[float, bool]:
        """How long a trial runs on the virtual clock, and whether it is lost."""
        if self.problem.seconds is None:
            return 1.0, False
        rng = np.random.default_rng([self.trace.seed, trial, 14])
        seconds = self.problem.seconds(values) * float(np.exp(RUN_SIGMA * rng.standard_normal()))
        return seconds, bool(rng.random() < LOST_SHARE)

    def end(self, trial: int, ended: float) -> None:
        """Tell what came out of a trial."""
        trace, found = self.trace, self.trace.y[trial]
        values = {
            name: item for name, item in zip(self.names, trace.x[trial], strict=True) if item is not None
        }
        state = "lost" if trial in trace.lost else "failed" if found is None else "completed"
        named = None if found is None else dict(zip(self.problem.names, found, strict=True))
        task = trace.tasks[trial] if trace.tasks else None
        told = trial + 1
        trace.cpu[trial] += self.tell(self.problem.prefill + told, values, task, state, named, ended)
        if self.problem.noise is not None and (told % RECOMMEND_EVERY == 0 or self.spent >= self.limit):
            self.recommend(told)

    def tell(
        self, trial: int, values: Any, task: str | None, state: str, found: Any, ended: float | None = None
    ) -> float:
        """Report one trial; its CPU seconds."""
        spread = self.problem.noise(values) if self.problem.noise and self.problem.is_noise_told else None
        answer = self.peer.call(
            "tell",
            trial=trial,
            assignments=values,
            task=task,
            state=state,
            values=found,
            sd=spread,
            ended=ended,
        )
        return float(answer["cpu"])

    def recommend(self, told: int) -> None:
        """Ask which configuration the method would use now."""
        values = self.peer.call("recommend")["assignments"]
        if values is not None:
            truth = self.problem.function(values, self.setting)
            if truth is not None:
                self.trace.recommended.append((told, self.listed(truth)))

    def listed(self, values: Mapping[str, float]) -> list[float]:
        return [float(values[name]) for name in self.problem.names]
