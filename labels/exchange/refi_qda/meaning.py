"""What the codes of a project stand for: a frame, a stance of it, "no frame", or nothing that this program knows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labels.annotations import STANCES, UNSPECIFIED, Stance
from labels.codebook import Codebook
from labels.exchange.frame_labels import FrameLabels
from labels.exchange.refi_qda.codebook import NO_FRAME_GUID, code_guid
from labels.exchange.refi_qda.xml import elements, plain_guid

# How programs write the codes above a code into its name.
_PATH = " > "


@dataclass(frozen=True, slots=True)
class Meaning:
    """A code: its name with those above it, and what it says.

    `frame` is None where it says that no frame is present, or where `known` is False. `below` is the frame of a code
    above it: such a code leaves open whether that frame is present.
    """

    name: str
    frame: str | None = None
    stance: Stance = UNSPECIFIED
    known: bool = True
    ignored: bool = False
    below: str | None = None


def code_meanings(root: Any, codebook: Codebook, labels: FrameLabels) -> Mapping[str, Meaning]:
    """Returns the meaning of each code of a project by its GUID."""
    own = {code_guid(frame.key, None): frame.key for frame in codebook.frames}
    meanings = {}
    for code in elements(root, "Code"):
        guid, path = plain_guid(code.get("guid")), _path(code)
        if guid == NO_FRAME_GUID:
            meanings[guid] = Meaning(path[-1])
        elif guid in own and not labels.knows(path[-1]):
            meanings[guid] = Meaning(path[-1], own[guid])  # a frame that was renamed in the other tool
        else:
            meanings[guid] = _meaning(path, labels)
    return meanings


def _meaning(path: list[str], labels: FrameLabels) -> Meaning:
    """Returns what a code stands for by its name or, if that says nothing, by its names from the top."""
    whole = _PATH.join(path)
    for name in (path[-1], whole):
        if labels.knows(name):
            frame = labels.frame(name)
            return Meaning(whole, frame, ignored=frame is None and labels.ignores(name))
    above = next((frame for name in reversed(path[:-1]) if (frame := labels.frame(name))), None)
    stance = next((stance for stance in STANCES if stance == path[-1].strip().casefold()), None)
    if stance is not None and len(path) > 1 and labels.frame(path[-2]) is not None:
        return Meaning(whole, labels.frame(path[-2]), stance)
    return Meaning(whole, known=False, below=above)


def _path(code: Any) -> list[str]:
    """Returns the names of the codes from the top down to this code."""
    names = [code.get("name") or "", *(above.get("name") or "" for above in _above(code))]
    return [part for name in reversed(names) for part in name.split(_PATH)]


def _above(code: Any) -> Iterator[Any]:
    return (above for above in code.iterancestors() if above.tag == code.tag)
