"""The service from Python: ``heliostat.connect(url, token)``, with the methods of the local API.

Every write carries a key of its own and is repeated until it is answered, so that a service that is killed
and comes back costs time, never a run.
"""

from heliostat.client.asynchronous import AsyncRemote, AsyncRemoteExperiment, connect_async
from heliostat.client.objects import Asked, Heard, RemoteEvent
from heliostat.client.remote import Remote, RemoteExperiment, connect
from heliostat.client.run import AsyncRemoteRun, RemoteRun
from heliostat.client.transport import ServiceError

__all__ = [
    "Asked",
    "AsyncRemote",
    "AsyncRemoteExperiment",
    "AsyncRemoteRun",
    "Heard",
    "Remote",
    "RemoteEvent",
    "RemoteExperiment",
    "RemoteRun",
    "ServiceError",
    "connect",
    "connect_async",
]
