"""A script of the global style; `sigopt run` makes its run."""

import sigopt

sigopt.params.setdefaults(max_depth=4)
sigopt.log_dataset("iris")
sigopt.log_model("tree")
print(f"depth {sigopt.params.max_depth}")
sigopt.log_checkpoint({"loss": 0.25})
sigopt.log_metric("training and validation time (s)", 1.5)
