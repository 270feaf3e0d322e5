"""Reports that the service hands out: each may fit a model, so they are kept until something changes."""

from __future__ import annotations

import threading
from collections import OrderedDict

from heliostat.reports import metrics_text, report_text
from heliostat.service.backend import Backend

MOST = 4
"""Reports that a process keeps; each may have 5 MB."""

Wish = tuple[int, bool, str, str | None, str]


class WrittenReports:
    """The latest reports that somebody asked for.

    Args:
        backend: Whose log.
    """

    def __init__(self, backend: Backend) -> None:
        self._log = backend.log
        self._lock = threading.Lock()
        self._kept: OrderedDict[Wish, tuple[int, str]] = OrderedDict()

    def get(self, experiment: int, form: str, *, metrics: bool, title: str | None, comment: str) -> str:
        """A report of the experiment as it is; the same text again until its log grows.

        One is written at a time: each may keep a processor busy for seconds.

        Args:
            experiment: Its id.
            form: ``html`` or ``markdown``.
            metrics: Whether it is the page for stakeholders.
            title: Of the page; by default project and name.
            comment: Its author's words.

        Raises:
            NotFound: There is no such experiment.
        """
        wish = (experiment, metrics, form, title, comment)
        with self._lock:
            place = self._log.last_event(experiment)
            seq, text = self._kept.pop(wish, (-1, ""))
            if seq != place:
                write = metrics_text if metrics else report_text
                text = write(self._log, experiment, form=form, title=title, comment=comment)
            self._kept[wish] = (place, text)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return text
