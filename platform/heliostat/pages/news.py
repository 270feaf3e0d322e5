"""What is new about an experiment since a caller looked last."""

from __future__ import annotations

from heliostat.pages.snapshots import Snapshot, Snapshots
from heliostat.pages.visits import Look


async def news(look: Look, experiment: int) -> Snapshot | None:
    """The experiment as it is, or ``None`` if the caller's page shows all that is known here.

    A snapshot that is costly to make is kept a little longer: then the caller has it already, though the log
    has grown.
    """
    if await look.is_unchanged(experiment):
        return None
    found = await look.read(look.backend.part(Snapshots).get, experiment)
    return None if look.seen and found.seq <= look.seen else found
