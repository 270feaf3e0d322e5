"""Trackers: they remember every run."""
