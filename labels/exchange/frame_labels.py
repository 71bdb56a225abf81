"""From the labels of a file to frames: by key or title, or as the caller maps them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from labels.annotations import STANCES, UNSPECIFIED, Stance
from labels.codebook import Codebook
from labels.errors import ExchangeError
from labels.exchange.options import NO_FRAME, ReadingOptions, spelled

_MAX_SHOWN = 100
_LONGEST_SHOWN = 100


class RowError(Exception):
    """What is wrong with a row."""


class NotCodedError(Exception):
    """Why a row is set aside: it holds no answer of a coder, or its answer is not about every frame."""


class UnknownLabelError(Exception):
    """A row has labels that stand for nothing; whoever reads the file notes them, to list all in one message."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(", ".join(labels))
        self.labels = labels


class FrameLabels:
    """The frames that the labels of a file stand for; notes the labels that stand for none."""

    def __init__(self, codebook: Codebook, options: ReadingOptions) -> None:
        """Raises `ExchangeError` if the caller maps a label to something that is not a frame."""
        self.codebook = codebook
        self._unknown: dict[str, list[str]] = {}
        self.ignored: Counter[str] = Counter()
        self._empty_means_none = options.empty_means_none
        self._to_ignore = {_plain(label) for label in options.ignored}
        self._frames: dict[str, str | None] = {
            _plain(name): frame.key for frame in codebook.frames for name in (*frame.formerly, frame.title, frame.key)
        }
        wrong = [frame for frame in options.frames.values() if _plain(frame) not in {*self._frames, NO_FRAME}]
        if wrong:
            raise ExchangeError("The map of labels", [f"the codebook has no frame '{frame}'" for frame in wrong])
        targets = {NO_FRAME: None, **self._frames}
        self._frames |= {_plain(label): targets[_plain(frame)] for label, frame in options.frames.items()}
        both = [label for label in options.ignored if _plain(label) in self._frames]
        if both:
            raise ExchangeError(
                "The labels to ignore", [f"'{label}' stands for a frame or is mapped" for label in both]
            )

    def knows(self, label: str) -> bool:
        """Whether a label stands for a frame or for none, or is to be ignored."""
        return _plain(label) in self._frames or _plain(label) in self._to_ignore

    def ignores(self, label: str) -> bool:
        """Whether the caller wants a label ignored."""
        return _plain(label) in self._to_ignore

    def frame(self, label: str) -> str | None:
        """The frame that a label stands for; None if it stands for none."""
        return self._frames.get(_plain(label))

    def frames(self, labels: Any, stances: Mapping[str, Any] | None = None) -> dict[str, Stance]:
        """Returns the frames of an answer, which is a list of labels, each with its stance, else `present`.

        An empty list is an answer: none of the frames. Raises `RowError`, `NotCodedError` or `UnknownLabelError`.
        """
        names = _names(labels)
        unknown = [name for name in names if not self.knows(name)]
        if unknown:
            raise UnknownLabelError(unknown)
        ignored = Counter(name for name in names if _plain(name) not in self._frames)
        self.ignored.update(ignored)
        chosen = [self.frame(name) for name in names if name not in ignored]
        if ignored and not chosen:
            return self.empty("all of its labels are to be ignored")
        present = [frame for frame in chosen if frame is not None]
        if present and None in chosen:
            raise NotCodedError("it has a frame and a label that says that there is none")
        # Stances are under the same names as the frames, which may have been renamed since.
        of_frames = {self.frame(str(name)): stance for name, stance in (stances or {}).items()}
        return {frame: require_stance(of_frames.get(frame) or UNSPECIFIED) for frame in present}

    def empty(self, reason: str) -> dict[str, Stance]:
        """The frames where there is no answer: none if the caller says that this means none, else `NotCodedError`."""
        if not self._empty_means_none:
            raise NotCodedError(reason)
        return {}

    def note_unknown(self, labels: Sequence[str], where: str) -> None:
        """Notes labels that stand for nothing, with their place."""
        for label in labels:
            self._unknown.setdefault(label, []).append(where)

    def fault(self) -> str | None:
        """Names every label that stands for nothing, and says what to do about it; None if there is none."""
        if not self._unknown:
            return None
        named = [f"'{_shown(label)}' ({_places(places)})" for label, places in self._unknown.items()]
        more = f" and {len(named) - _MAX_SHOWN} more" if len(named) > _MAX_SHOWN else ""
        example = _shown(next(iter(self._unknown)))
        return (
            f"the codebook has no frame {', '.join(named[:_MAX_SHOWN])}{more}: give a label its frame with "
            f"{spelled('frames', f'{example}=FRAME')}, or '{example}={NO_FRAME}' if it says that no frame is present, "
            f"or leave it out with {spelled('ignored', example)}"
        )


def _shown(label: str) -> str:
    return label if len(label) <= _LONGEST_SHOWN else f"{label[:_LONGEST_SHOWN]}…"


def _places(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"


def _names(labels: Any) -> list[str]:
    if not isinstance(labels, list) or not all(isinstance(label, str | int | float) for label in labels):
        raise RowError("the labels must be a list of strings")
    return [name_of(label) for label in labels]


def name_of(value: Any) -> str:
    """A label or the id of a coder as text; 12.0, into which tools turn 12 beside empty cells, is 12."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _plain(label: str) -> str:
    return label.strip().casefold()


def require_stance(stance: Any) -> Stance:
    if stance not in STANCES:
        raise RowError(f"'{stance}' is not a stance; the stances are {', '.join(STANCES)}")
    checked: Stance = stance
    return checked


def chosen_question(
    questions: Mapping[str, set[str]], usual: str, labels: FrameLabels, options: ReadingOptions, subject: str
) -> str | None:
    """The question whose answers are frames; None if the file has no question.

    `questions` has the labels of each question. It is the question that the caller names, else the question
    called `usual`, else the only question with a label that is a frame, else the only question. Raises `ExchangeError`
    otherwise.
    """
    names = ", ".join(f"'{name}'" for name in questions)
    if options.question is not None:
        if options.question not in questions:
            raise ExchangeError(subject, [f"it has no question '{options.question}'; its questions are {names or '-'}"])
        return options.question
    with_frames = [name for name, answers in questions.items() if any(map(labels.knows, answers))]
    for candidates in ([usual] if usual in questions else [], with_frames, list(questions)):
        if len(candidates) == 1:
            return candidates[0]
    if not questions:
        return None
    raise ExchangeError(
        subject, [f"it has the questions {names}: say which is about frames with {spelled('question')}"]
    )
