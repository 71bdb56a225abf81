"""What was read from a file: the annotations, and what was set aside, each with its place and the reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation
from labels.exchange.options import ReadingOptions, spelled
from labels.wording import counted

Key = TypeVar("Key")

_MAX_PLACES = 5


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something in a file that is not an annotation, or not a whole annotation, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was set aside, how often, and the first places."""

    reason: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The annotations of a file.

    `ignored` counts the labels that the caller wanted ignored; `notes` are sentences that the caller should read.
    """

    annotations: Sequence[ExchangedAnnotation]
    set_aside: Sequence[SetAside] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What was set aside, by reason, the most frequent first."""
        places: dict[str, list[str]] = {}
        for entry in self.set_aside:
            places.setdefault(entry.reason, []).append(entry.where)
        by_count = sorted(places.items(), key=lambda entry: -len(entry[1]))
        return tuple(Reason(reason, len(where), tuple(where[:_MAX_PLACES])) for reason, where in by_count)

    @property
    def sentences(self) -> list[str]:
        """What was set aside, what was ignored, and the notes."""
        return [
            *(
                f"{entry.count} set aside: {entry.reason} ({', '.join(entry.first)}"
                f"{', …' if entry.count > len(entry.first) else ''})."
                for entry in self.reasons
            ),
            *(f"The label '{label}' was left out {counted(count, 'time')}." for label, count in self.ignored.items()),
            *self.notes,
        ]


def with_coders(annotations: Iterable[ExchangedAnnotation], options: ReadingOptions) -> list[ExchangedAnnotation]:
    """Gives the coders the names that the caller maps them to, and nameless annotations the caller's coder."""
    named = []
    for annotation in annotations:
        coder = options.coders.get(annotation.coder, annotation.coder)
        named.append(replace(annotation, coder=options.coder or UNKNOWN_CODER if coder == UNKNOWN_CODER else coder))
    return named


def numbered_coders(annotations: Iterable[ExchangedAnnotation], options: ReadingOptions) -> list[str]:
    """A sentence about coders that the file only numbers, unless the caller chose these numbers as names."""
    wanted = {*options.coders.values(), options.coder}
    coders = {annotation.coder for annotation in annotations} - wanted
    numbers = sorted((coder for coder in coders if coder.isdecimal()), key=lambda coder: (len(coder), coder))
    if not numbers:
        return []
    shown = ", ".join(numbers[:_MAX_PLACES]) + (", …" if len(numbers) > _MAX_PLACES else "")
    who = "a coder" if len(numbers) == 1 else "coders"
    return [
        f"The file has only a number for {who} ({shown}), which in another file may be somebody else: give names with "
        f"{spelled('coders', f'{numbers[0]}=NAME')}."
    ]


def without_repeats(
    annotations: Iterable[tuple[Key, ExchangedAnnotation]],
) -> tuple[list[tuple[Key, ExchangedAnnotation]], list[SetAside]]:
    """Returns the last annotation of a coder under each key, which stands for what is coded, and the others.

    The last annotation is what was made last, where the file says when; else it is the last of the file.
    """
    last: dict[object, tuple[Key, ExchangedAnnotation]] = {}
    set_aside = []
    for key, annotation in annotations:
        whole = key, annotation.coder, annotation.role
        earlier, later = last.get(whole, (key, annotation))[1], annotation
        if earlier is not annotation:
            if (earlier.created_at or "") > (annotation.created_at or "") > "":
                earlier, later = annotation, earlier
            same = (earlier.frames, earlier.note, earlier.unsure) == (later.frames, later.note, later.unsure)
            reason = "the same annotation comes again" if same else "a later annotation by the coder replaces it"
            set_aside.append(SetAside(earlier.where, reason))
        last[whole] = key, later
    return list(last.values()), set_aside


def counted_frames(annotations: Iterable[ExchangedAnnotation], frames: Iterable[str]) -> dict[str, int]:
    """Number of annotations in which each frame is present."""
    counts = Counter(frame for annotation in annotations for frame in annotation.frames)
    return {frame: counts[frame] for frame in frames}
