"""Live pages on the service: what people look at while experiments run.

::

    mounting          all routes of the pages
      home, projects, experiments, trials, suggestions, runs, compare, tokens, signing_in     one kind each
        visits        who looks; 204 for a page that has not changed
        news          an experiment that has changed since the last look
        streaming     the head of a page at once, what takes long behind it
        snapshots     an experiment's runs and cards, read again only when the log grew
        views         pure: what templates print (table, comparison, place among others, samples, notes)
        rendering     Jinja with autoescape, headers
      assets          our scripts and styles, the report's, and plotly.js from its wheel

Templates print and decide nothing. Changes go to the ``/v1`` wire, as any client's do.
"""

from heliostat.pages.mounting import mount
from heliostat.pages.rendering import prepare

__all__ = ["mount", "prepare"]
