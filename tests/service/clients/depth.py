"""A script of the global style, for `sigopt optimize` and `sigopt start-worker`."""

import sigopt

sigopt.params.setdefaults(max_depth=3)
sigopt.log_metric("accuracy", 0.5 * sigopt.params.max_depth)
