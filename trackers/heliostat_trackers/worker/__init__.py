"""Inside Ray Tune's workers: what only the process knows that runs the user's code.

Why it failed, how long it took and what it used are found here and travel to the driver with results and
exceptions, since a note in a folder would stay on its node. Workers import this package: it imports little.
"""

from heliostat_trackers.worker.trainable import observed

__all__ = ["observed"]
