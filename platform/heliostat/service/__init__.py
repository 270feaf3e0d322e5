"""The HTTP service: SigOpt's v1 wire over the run log, on Ray Serve or any ASGI server.

::

    Ray Serve proxy ─▶ stateless replicas (app) ─▶ run log
                          gate: who, how much, how often
                          wire/*: one module a kind of object
                       one actor per active experiment, called by the replicas

:func:`create_app` makes the ASGI application, :mod:`heliostat.service.serve` the Ray Serve application.
"""

from heliostat.service.app import create_app
from heliostat.service.settings import ServiceSettings, read_settings

__all__ = ["ServiceSettings", "create_app", "read_settings"]
