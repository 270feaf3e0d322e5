"""Data inside an HTML file."""

from __future__ import annotations

import json
from typing import Any


def embedded_json(value: Any) -> str:
    r"""JSON that is safe inside ``<script type="application/json">``.

    ``</`` would end the element, ``<!--`` open a comment, and U+2028/9 end a line in old script engines.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    # A lone surrogate, as undecodable bytes in a traceback leave it, cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")
