"""Keys as they are shown once: an id to find them by and a secret of 256 random bits, of which only a hash is kept.

A random secret needs no slow hash: guessing it is as hard as guessing the hash.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_KEY = re.compile(r"framing_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `shown` is given to its owner and kept nowhere."""

    id: str
    shown: str
    secret_sha256: str


def new_key() -> NewKey:
    identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewKey(identifier, f"framing_{identifier}_{secret}", digest_of(secret))


def read_key(shown: str) -> tuple[str, str] | None:
    """Id and hash of the secret; None for what cannot be a key."""
    match = _KEY.fullmatch(shown)
    return None if match is None else (match[1], digest_of(match[2]))


def new_token() -> str:
    """A random token for a session."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compares in a time that does not depend on where the two differ."""
    return hmac.compare_digest(one.encode(), other.encode())
