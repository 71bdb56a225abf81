"""Signing what was in the models folder before there was a key, or under another key."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.errors import ModelFileError
from training.registry.promotions import Promotion
from training.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and a sentence for each thing that was left as it is."""

    versions: list[str]
    promotions: list[Promotion]
    left: list[str]


def sign_registry(registry: Registry, versions: Sequence[str] | None, *, replace: bool) -> Signed:
    """Signs the versions that are named, or else those with a compiled form and the promotions.

    With `replace` also what has a signature that does not match. Raises `RegistryError` without a key.
    """
    named = versions is not None
    signed, left = [], []
    for version in versions or registry.versions():
        try:
            if registry.is_signed(version):
                continue
            reason = "" if named else _reason_to_leave(registry, version, replace=replace)
            if not reason:
                registry.sign(version)
                signed.append(version)
        except ModelFileError as error:
            reason = f"Model {version} was not signed: {error}"
        left += [reason] if reason else []
    promotions = [] if named else registry.sign_promotions(replace=replace)
    left += [] if named else [entry.why for entry in registry.refused_promotions()]
    return Signed(signed, promotions, left)


def _reason_to_leave(registry: Registry, version: str, *, replace: bool) -> str:
    """Says why a version that nobody named is not signed; empty where nothing speaks against it."""
    if registry.card(version).is_pickle:
        return f"Model {version} is only a pickle, which could run any code: name it to sign it."
    if registry.has_signature(version) and not replace:
        return f"Model {version} has a signature of another key, or was changed: --replace signs it anew."
    return ""
