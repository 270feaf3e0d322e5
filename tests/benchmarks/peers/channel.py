"""How the harness talks to an optimizer in an environment of its own: one JSON line each way.

Needs nothing but Python's standard library, since it runs beside libraries of all ages. A driver is a class
with ``ask`` and ``tell``, handed to :func:`serve`. CPU seconds are those of this process inside the calls,
all threads together.

    start      the declared experiment, seed, sources         → versions
    ask                                                        → assignments, task, cpu
    tell       trial, assignments, task, state, values, sd     → cpu
    recommend                                                  → assignments or null, cpu
    stop                                                       → rss_mb
"""

import json
import os
import random
import sys
import time


class Declared:
    """The declared experiment as drivers read it.

    Args:
        message: The harness's first line; the fields are those of Heliostat's wire form.
    """

    def __init__(self, message):
        self.message = message
        self.seed = message["seed"]
        self.budget = message["budget"]
        self.spec = message["spec"]
        self.sources = message.get("sources") or []
        self.options = message.get("options") or {}
        self.metrics = self.spec["metrics"]
        self.objectives = [item for item in self.metrics if item["strategy"] == "optimize"]
        self.guardrails = [item for item in self.metrics if item["strategy"] == "constraint"]
        self.constraints = self.spec.get("linear_constraints") or []
        self.dimensions = ordered(self.spec)
        tasks = self.spec.get("tasks") or []
        self.full_task = next((item["name"] for item in tasks if item["cost"] == 1), None)

    def is_alive(self, item, values):
        """Whether a parameter's conditions hold under the values assigned so far."""
        return all(values.get(switch) in wanted for switch, wanted in item.get("conditions", {}).items())

    def limits(self):
        """Every metric with a threshold: guardrails, and objectives that carry one."""
        return [item for item in self.metrics if item.get("threshold") is not None]

    def losses(self, values):
        """The objectives with their signs turned so that less is better."""
        return [sign(item) * values[item["name"]] for item in self.objectives]

    def excess(self, values, items=None):
        """How far each limited metric is beyond its threshold; 0 or less is fine."""
        items = self.limits() if items is None else items
        return [sign(item) * (values[item["name"]] - item["threshold"]) for item in items]

    def penalty(self, values):
        """The sum of what lies beyond the limits, for methods that need one number to minimise."""
        return sum(max(0.0, amount) for amount in self.excess(values))


def sign(metric):
    """+1 where less is better, -1 where more is."""
    return 1.0 if metric["objective"] == "minimize" else -1.0


def ordered(spec):
    """Parameters and switches, each after what it depends on; switches read as categorical parameters."""
    switches = [
        {"name": item["name"], "type": "categorical", "categorical_values": item["values"],
         "conditions": item.get("conditions") or {}, "is_switch": True}
        for item in spec.get("conditionals") or []
    ]  # fmt: skip
    waiting = switches + [{**item, "conditions": item.get("conditions") or {}} for item in spec["parameters"]]
    done = []
    while waiting:
        names = {item["name"] for item in done}
        ready = [item for item in waiting if set(item["conditions"]) <= names]
        done += ready
        waiting = [item for item in waiting if item not in ready]
    return done


def is_log(item):
    """Whether a parameter is searched on a logarithmic scale."""
    return item.get("transformation") == "log"


def bounds(item):
    """Lowest and highest value of a numeric parameter."""
    if "grid" in item:
        return min(item["grid"]), max(item["grid"])
    return item["bounds"]["min"], item["bounds"]["max"]


def serve(made):
    """Answer the harness until it closes the pipe; `made` turns :class:`Declared` into a driver."""
    # Libraries print; the pipe is for answers only.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    driver = None
    for line in sys.stdin:
        message = json.loads(line)
        try:
            if message["op"] == "start":
                declared = Declared(message)
                random.seed(declared.seed)
                driver = made(declared)
                answer = {"versions": driver.versions}
            elif message["op"] == "stop":
                answer = {"rss_mb": peak_memory()}
            else:
                answer = timed(driver, message)
        except Exception as error:
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer, default=plain) + "\n")
        if message["op"] == "stop":
            return


def timed(driver, message):
    """The answer to ask, tell or recommend, with its CPU seconds."""
    begun = time.process_time()
    if message["op"] == "ask":
        found = driver.ask(message["trial"])
        assignments, task = found if isinstance(found, tuple) else (found, None)
        answer = {"assignments": assignments, "task": task}
    elif message["op"] == "tell":
        driver.tell(message)
        answer = {}
    else:
        wanted = getattr(driver, "recommend", None)
        answer = {"assignments": wanted() if wanted else None}
    return {**answer, "cpu": time.process_time() - begun}


def peak_memory():
    """Largest resident set in MB; the one of ``getrusage`` begins with that of the parent."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def plain(value):
    """Scalars of NumPy as Python's."""
    return value.item()
