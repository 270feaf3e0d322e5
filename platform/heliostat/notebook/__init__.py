"""What notebooks show of experiments, runs and comparisons: static HTML, everything in it escaped."""
