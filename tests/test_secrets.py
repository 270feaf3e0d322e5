"""A40 of the attack cases: no secret lies in the repository. Bandit's rules are ruff's (`make check`)."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECRETS = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
    "a token of this service": re.compile(rb"\bhs_[A-Za-z0-9_-]{40,}"),
    "a key of a cloud": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b"),
    "a token of a forge": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bglpat-[0-9A-Za-z_-]{20}\b"),
    "a password in an address": re.compile(
        rb"\b[a-z][a-z0-9+]{2,}://[^\s/:@\"'{}<>$]+:([^\s/@\"'{}<>$*\x80-\xff]{6,})@"
    ),
}
KNOWN = {b"hidden", b"password", b"s3cr3t", b"secret"}
"""Passwords that tests and texts make up."""


def tracked():
    """Every file that is kept, and its content."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, done.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_bytes()


def found_in(content):
    """What of the kinds of secrets is there."""
    for kind, pattern in SECRETS.items():
        for match in pattern.finditer(content):
            if not (match.groups() and match.group(1) in KNOWN):
                yield kind, match.group(0)


def test_a40_no_secret_lies_in_the_repository():
    found = [(name, kind) for name, content in tracked() for kind, _ in found_in(content)]
    assert not found


def test_the_search_would_find_one():
    planted = [
        b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * 64,
        b'token = "hs_' + b"x" * 43 + b'"',
        b"AKIA" + b"Q" * 16,
        b"ghp_" + b"a" * 36,
        b"postgresql://ada:" + b"correcthorse" + b"@db/runs",
    ]
    for content, kind in zip(planted, SECRETS, strict=True):
        assert [name for name, _ in found_in(content)] == [kind]
