"""What notebooks show of experiments, runs and comparisons: static HTML, everything in it escaped."""

from heliostat.notebook.comparison import Comparison, compare
from heliostat.notebook.experiments import experiment_html
from heliostat.notebook.runs import run_html

__all__ = ["Comparison", "compare", "experiment_html", "run_html"]
