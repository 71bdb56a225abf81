"""API keys: an id to look them up by, and a secret of 256 random bits of which only a hash is stored.

A random secret needs no slow hash: guessing it is as hard as guessing the hash.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from service.store import keys
from service.store.callers import Role

_KEY = re.compile(r"framing_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key; `shown` is for its owner and is stored nowhere."""

    id: str
    shown: str
    secret_sha256: str


def new_key() -> NewKey:
    """A random key."""
    identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewKey(identifier, f"framing_{identifier}_{secret}", digest_of(secret))


def create_key(connection: Connection, name: str, role: Role, days: int | None = None) -> NewKey:
    """Makes a key and stores its hash; it is valid for some days, or until it is revoked."""
    key = new_key()
    keys.create(connection, key.id, key.secret_sha256, name, role, days)
    return key


def read_key(shown: str) -> tuple[str, str] | None:
    """Id and hash of the secret; None for a text that cannot be a key."""
    match = _KEY.fullmatch(shown)
    return None if match is None else (match[1], digest_of(match[2]))


def new_token() -> str:
    """A random token for a session."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, as hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def bound_digest(token: str, key: str) -> str:
    """HMAC of a token under a key: whoever lacks the token learns nothing of the key from it."""
    return hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()


def same(first: str, second: str) -> bool:
    """Compares two texts in a time that does not depend on where they differ."""
    return hmac.compare_digest(first.encode(), second.encode())
