"""``python -m heliostat.cli`` is ``heliostat``."""

from heliostat.cli import main

main(prog_name="heliostat")
