"""Searchers: they decide what to try next and when to stop a trial."""
