"""The ``heliostat`` command."""

from heliostat.cli.main import main

__all__ = ["main"]
