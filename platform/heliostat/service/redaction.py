"""Blacking out secrets in what programs print and clients send, before it is kept."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"(?P<ours>\bhs_)[A-Za-z0-9_\-]{43}"
    r"|(?P<header>\bAuthorization:[ \t]*(?:Basic|Bearer)[ \t]+)[^\s'\"]+"
    r"|(?P<url>\b[a-z][a-z0-9+.\-]{1,30}://[^/\s:@]{0,200}:)[^/\s@]+(?=@)"
    r"|(?P<variable>\b[A-Z0-9_]*(?:PASSWORD|SECRET|TOKEN|API_KEY)[A-Z0-9_]*=)[^\s'\"]+",
)
_HINTS = ("hs_", "uthorization", "://", "PASSWORD", "SECRET", "TOKEN", "API_KEY")
MARK = "***"


def redacted(text: str) -> str:
    """The text without tokens of ours, headers with credentials, passwords in URLs, and secret variables."""
    if not any(hint in text for hint in _HINTS):
        return text
    return _SECRETS.sub(lambda found: (found.group(found.lastgroup or 0) or "") + MARK, text)
