"""Heliostat: design, optimize and explore experiments on your own Ray cluster."""

__version__ = "0.1.0"
