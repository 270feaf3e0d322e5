"""Versions of packages, read off folder names: opening each one's metadata takes far longer."""

from __future__ import annotations

import os
import sys
from functools import cache

_ENDINGS = (".dist-info", ".egg-info")


@cache
def installed() -> dict[str, str]:
    """Installed distributions and their versions, by name; those of the first folder on the path win."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = [entry.name for entry in os.scandir(folder or ".") if entry.name.endswith(_ENDINGS)]
        except OSError:
            continue
        for entry in entries:
            name, _, rest = entry.rpartition(".")[0].partition("-")
            found.setdefault(name.replace("_", "-").lower(), rest.partition("-py")[0])
    return dict(sorted(found.items()))


def installed_text() -> str:
    """One line each, as ``pip freeze`` writes them."""
    return "".join(f"{name}=={version}\n" for name, version in installed().items())


def imported() -> dict[str, str]:
    """Versions of the packages that the program has imported, by their import names."""
    known = {name.replace("-", "_"): version for name, version in installed().items()}
    top = {name.partition(".")[0] for name in list(sys.modules)}
    found: dict[str, str] = {}
    for name in sorted(top - sys.stdlib_module_names):
        declared = getattr(sys.modules.get(name), "__dict__", {}).get("__version__")
        version = known.get(name.lower(), declared)
        if isinstance(version, str) and not name.startswith("_"):
            found[name] = version
    return found
