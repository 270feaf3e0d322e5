"""Self-contained reports: one HTML file that needs nothing else."""

from heliostat.report.report import render, write

__all__ = ["render", "write"]
