"""Heliostat as a search algorithm of Ray Tune."""

from heliostat_searchers.tune.domains import Converted, converted
from heliostat_searchers.tune.search import HeliostatSearch

__all__ = ["Converted", "HeliostatSearch", "converted"]
