"""What users of the official client wrote: every tracking call of a run. Prints the runs' ids."""

import json

import numpy
import sigopt

sigopt.set_project("demo")
with sigopt.create_run(name="seed run") as run:
    run.log_dataset("iris")
    run.log_metadata(key="Dataset Source", value="sklearn")
    run.log_metadata(key="Dataset Rows", value=numpy.int64(150))
    run.log_metadata(key="Obj", value=[1, 2])
    run.log_model("XGB")
    run.params.max_depth = numpy.random.randint(low=3, high=15, dtype=int)
    run.params["min_split_loss"] = 3.5
    run.params.update({"a": 1, "b": "x"})
    run.params.setdefaults(c=2, a=9)
    run.set_parameters({"d": 4})
    run.set_parameter_source("d", "mysrc")
    run.set_parameters_sources_meta("mysrc", sort=5, default_show=True)
    run.log_metric(name="accuracy", value=0.97)
    run.log_metric("training and validation time (s)", value=numpy.float32(1.25), stddev=0.5)
    run.log_metrics({"m1": 1, "m2": 2.5})
    for epoch in range(3):
        run.log_checkpoint({"loss": 0.5 / (epoch + 1), "acc": epoch})
    run.log_source_code(content="print(1)", hash="abc")
    run.set_logs({"stdout": "x" * 3000, "stderr": "e"})
    run.log_image(numpy.zeros((4, 4), dtype=numpy.uint8), name="img")
    run.log_dev_metadata("k", True)
    run.log_sys_metadata("feature_importances", {"type": "weight", "scores": {"f": 1}})
    del run.params["a"]
seed = run.id

for says_so in (True, False):
    try:
        with sigopt.create_run() as run:
            if says_so:
                run.log_failure()
            raise RuntimeError("x")
    except RuntimeError:
        pass
failed = run.id
assert sigopt.get_run(failed).state == "failed"

sigopt.archive_run(failed)
assert sigopt.get_run(failed).deleted
sigopt.unarchive_run(failed)
assert not sigopt.get_run(failed).deleted

done = {"name": "u1", "assignments": {"x": 1}, "values": {"f": {"value": 1.0}}, "state": "completed"}
uploaded = [run.id for run in sigopt.upload_runs([done, {"name": "u2"}])]

sigopt.create_project("made-here", "Made here")
try:
    sigopt.create_project("made-here", "Made here")
except sigopt.exception.ConflictingProjectException:
    conflict = True
print(json.dumps({"seed": seed, "failed": failed, "uploaded": uploaded, "conflict": conflict}))
