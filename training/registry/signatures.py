"""Signatures in the models folder: HMAC-SHA-256 under the operator's key, over what a version or promotion consists of.

Whoever can write to the folder can put any file there, but cannot sign it. Each kind of thing is signed under a name of
its own, so that no signature fits another kind.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SIGNATURE_FILE = "signature.json"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a registry may believe: what `key` signed. Pickles are opened only with `allow_pickle` and a signature.

    Without a key nothing is signed, and promotions are believed as they stand.
    """

    key: bytes | None = field(default=None, repr=False)
    allow_pickle: bool = False

    def sign(self, what: str, facts: Mapping[str, Any]) -> str:
        """Returns the signature of facts about something of the kind `what`; empty without a key."""
        if self.key is None:
            return ""
        content = json.dumps([what, facts], sort_keys=True, ensure_ascii=True)
        return hmac.new(self.key, content.encode(), "sha256").hexdigest()

    def has_signed(self, what: str, facts: Mapping[str, Any], signature: object) -> bool:
        """Whether a signature is that of the key; never without a key."""
        if self.key is None or not isinstance(signature, str) or not signature.isascii():
            return False
        return hmac.compare_digest(signature, self.sign(what, facts))


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Returns the SHA-256 of files by their names: the facts that the signature of a version is about."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
