"""Whether a model decides otherwise when a text names others: measured on coded paragraphs, by article.

What a text says about who is to blame does not depend on who it is. States, their people and capitals, armed groups and
people with a title are replaced by others: some by names that fine-tuning swaps too (`training.finetuning.names`), some
by names that it never swaps or that are invented (`behaviour.toml`).
"""

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise
from training.behaviour import Renaming, behaviour_table
from training.evaluation import Figure
from training.finetuning.names import GROUPS, STATES
from training.reports.coded_figures import shares
from training.scoring.classification import decide
from training.scoring.frame_model import FrameModel
from training.validation import Judged, score_in_parts

# Largest share of decisions that other names should change.
MOST_CHANGED = 0.03
# Paragraphs that each replacement is tried on.
_DRAWN = 600
_TITLES = (
    "President|Premier|Minister|Chancellor|King|Emir|Ayatollah|Sheikh|General|Gen\\.|Colonel|Col\\.|Captain|Commander|"
    "Senator|Sen\\.|Governor|Gov\\.|Mayor|Judge|Mr\\.?|Mrs\\.?|Ms\\.?|Dr\\.?"
)
# Not "General Assembly" or "Minister of".
_NAME = r"(?:(?:al|el|bin|de|van|von)[- ])?[A-Z][\w'-]+"
_TITLED = re.compile(rf"\b(?:{_TITLES}) ((?!{_TITLES}|Assembly|Staff|Council){_NAME}(?: {_NAME}){{0,2}})")
_WORD = re.compile(r"\w+")
_WITHOUT_PLURAL = ("ese", "ish", "ch")

Change = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class RenamedFigures:
    """Decisions at `balanced` on `paragraphs` in which names were replaced.

    `changed` is the share of decisions (present, uncertain or absent, per paragraph and frame) that changed, and
    `moved` the share that changed from present to something else or from something else to present.
    """

    name: str
    paragraphs: int
    changed: Figure
    moved: Figure


def renamed_figures(
    model: FrameModel, judged: Judged, progress: Callable[[float], None] = lambda _share: None
) -> tuple[RenamedFigures, ...]:
    """Returns the figures of each replacement that changes any of n judged paragraphs."""
    changes = replacements()
    order = sorted(range(len(judged.gold)), key=lambda row: hashlib.sha256(str(judged.articles[row]).encode()).digest())
    figures = []
    for done, (name, change) in enumerate(changes.items(), 1):
        texts = {row: judged.gold[row].paragraph.text for row in order}
        changed = {row: other for row, text in texts.items() if (other := change(text)) != text}
        rows = list(changed)[:_DRAWN]
        if rows:
            figures.append(_figures(name, model, judged, rows, [changed[row] for row in rows]))
        progress(done / len(changes))
    return tuple(figures)


def _figures(name: str, model: FrameModel, judged: Judged, rows: list[int], texts: list[str]) -> RenamedFigures:
    before = _decisions(model, judged.scores[rows])
    after = _decisions(model, score_in_parts(model, texts).frames)
    articles = judged.articles[rows]
    moved = (before == "present") != (after == "present")
    return RenamedFigures(name, len(rows), shares(before != after, articles)[-1], shares(moved, articles)[-1])


def _decisions(model: FrameModel, scores: NDArray[np.float64]) -> NDArray[np.str_]:
    cuts = model.card.cuts["balanced"]
    return np.array([decide(scores[:, k], cuts[frame]) for k, frame in enumerate(model.frames)]).T


def replacements() -> dict[str, Change]:
    """Returns what changes a text, by what it replaces and by what."""
    table = behaviour_table()
    others, more = (tuple(_states(table["states"][key])) for key in ("others", "replaced"))
    swapped = tuple(tuple((form,) for form in state) for state in STATES)
    groups = tuple(((name.removeprefix("the "),),) for name in GROUPS)
    invented = tuple(((name,),) for name in table["names"]["groups"])
    return {
        "states, by others that fine-tuning swaps": NameSwap(swapped, swapped),
        "the same states, by others that it never swaps": NameSwap(swapped, others),
        "states that it never swaps, by others of these": NameSwap((*others, *more), others),
        "armed groups, by others that fine-tuning swaps": NameSwap(groups, groups),
        "the same armed groups, by invented ones": NameSwap(groups, invented),
        "people with a title, by invented people": _NewPeople(table["names"]["people"]),
    }


# The forms of a name (state, people, capital), each with its alternatives.
_PEOPLE = 1
_Name = Sequence[Sequence[str]]


def _states(lines: Sequence[str]) -> list[_Name]:
    return [[form.split("/") for form in line.split(", ")] for line in lines]


class NameSwap:
    """Replaces names by others that the text does not name: equal names by equal names, each form by the same form.

    The same text is always changed in the same way.
    """

    def __init__(self, names: Sequence[_Name], others: Sequence[_Name]) -> None:
        self._others = others
        self._places = {
            alternative: (number, form)
            for number, name in enumerate(names)
            for form, alternatives in enumerate(name)
            for alternative in alternatives
        }
        longest_first = sorted(map(re.escape, self._places), key=len, reverse=True)
        # With the plural of a people ("Kenyans"). In lower case, "polish" and "turkey" are other words.
        self._pattern = re.compile(rf"(?<!\w)({'|'.join(longest_first)})(s?)(?!\w)")

    def __call__(self, text: str) -> str:
        absent = [name for name in self._others if not any(form[0] in text for form in name)]
        generator = random.Random(text)  # noqa: S311
        generator.shuffle(absent)
        chosen: dict[int, _Name] = {}

        def other(match: re.Match[str]) -> str:
            number, form = self._places[match[1]]
            # Only peoples have a plural: "Americas" are something else.
            if (match[2] and form != _PEOPLE) or (number not in chosen and not absent):
                return match[0]
            if number not in chosen:
                chosen[number] = absent.pop()
            replacement = chosen[number][form][0]
            return replacement if replacement.endswith(_WITHOUT_PLURAL) else replacement + match[2]

        return self._pattern.sub(other, text)


class _NewPeople:
    """Replaces people who are named with a title, wherever the text names them."""

    def __init__(self, people: Sequence[str]) -> None:
        self._people = people

    def __call__(self, text: str) -> str:
        names = {normalise(word) for match in _TITLED.finditer(text) for word in _WORD.findall(match[1])}
        return Renaming(frozenset(names), self._people)(text)
