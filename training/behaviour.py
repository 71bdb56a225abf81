"""Behaviour checks of a model: which changes to a text must not move a decision, and which must.

Ribeiro, Wu, Guestrin and Singh (2020), "Beyond accuracy: behavioral testing of NLP models with CheckList": tests of
invariance (names, quotation marks, spelling, casing, order of paragraphs) and of direction (pairs in which a negation,
an attribution or another actor should move a single frame). The table of names, spellings and pairs is behaviour.toml.
"""

import hashlib
import random
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from labels.annotations import CodedParagraph
from labels.codebook import Codebook
from labels.normalise import normalise
from training.lexicon import proper_names
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel

# Largest share of paragraphs on which an invariance may change a decision.
MOST_CHANGED = 0.01
# Paragraphs that the invariances are checked on with an encoder.
_DRAWN = 400
_WORD = re.compile(r"\w+")
# The class of a codebook that lists the names of states.
_STATES = "states"


@dataclass(frozen=True, slots=True)
class Check:
    """A line of the table: of `tried` paragraphs or pairs, `failed` did not behave as they should."""

    name: str
    kind: str
    tried: int
    failed: int
    examples: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """An invariance passes up to `MOST_CHANGED`, a direction only without failures."""
        return self.failed <= (MOST_CHANGED * self.tried if self.kind == "invariance" else 0)


def check_behaviour(
    model: FrameModel,
    codebook: Codebook,
    paragraphs: Sequence[CodedParagraph],
    progress: Callable[[str, float], None] = lambda _step, _share: None,
) -> list[Check]:
    """Runs all checks: invariances on the texts of n annotated paragraphs, directions for the frames of the model.

    Where the codebook has a class of states, states are replaced by other states of the table, and other names by
    people and groups. With an encoder, whole articles are drawn until there are some hundreds of paragraphs: on all of
    the shipped corpus the checks would take half an hour.
    """
    table = behaviour_table()
    names = proper_names([paragraph.text for paragraph in paragraphs])
    paragraphs = _drawn(paragraphs) if model.card.encoder else paragraphs
    texts = [paragraph.text for paragraph in paragraphs]
    changes: dict[str, Callable[[str], str]] = {
        **_renamings(names, frozenset(codebook.classes.get(_STATES, ())), table["names"]),
        "curly quotation marks for straight ones": _curly,
        "no quotation marks": lambda text: re.sub('["“”«»]', "", text),
        "American for British spelling": _Respelling(table["spelling"]),
        "all in capitals": str.upper,
        "all in small letters": str.lower,
    }
    checks = []
    for done, (name, change) in enumerate(changes.items(), 1):
        checks.append(_invariance(name, model, texts, change))
        progress("check behaviour", done / (len(changes) + 1))
    checks.append(_order(model, paragraphs))
    progress("check behaviour", 1.0)
    return [*checks, *_directions(model, table["pairs"])]


def behaviour_table() -> Mapping[str, Any]:
    """Returns names, spellings and pairs, from behaviour.toml."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _drawn(paragraphs: Sequence[CodedParagraph]) -> list[CodedParagraph]:
    """Draws whole articles, by a digest of their ids, until they have `_DRAWN` paragraphs."""
    by_article: dict[str, list[CodedParagraph]] = {}
    for paragraph in paragraphs:
        by_article.setdefault(paragraph.article, []).append(paragraph)
    drawn: list[CodedParagraph] = []
    for article in sorted(by_article, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(drawn) >= _DRAWN:
            break
        drawn += by_article[article]
    return drawn


def _renamings(
    names: frozenset[str], states: frozenset[str], table: Mapping[str, Sequence[str]]
) -> "dict[str, Renaming]":
    others = dict.fromkeys(table, (names - states, "name"))
    replaced = {**others, "countries": (states, "state")} if states else others
    return {f"other {kind} for every {what}": Renaming(words, table[kind]) for kind, (words, what) in replaced.items()}


class Renaming:
    """Replaces the names in a text by names of a kind: equal names by equal names, different by different names."""

    def __init__(self, names: frozenset[str], replacements: Sequence[str]) -> None:
        self._names, self._replacements = names, replacements

    def __call__(self, text: str) -> str:
        generator = random.Random(text)  # noqa: S311 - the same text is always changed in the same way
        drawn = cycle(generator.sample(self._replacements, len(self._replacements)))
        replacements: dict[str, str] = {}

        def replacement(match: re.Match[str]) -> str:
            word = match.group()
            if not word[0].isupper() or normalise(word) not in self._names:
                return word
            if word not in replacements:
                replacements[word] = next(drawn)
            return replacements[word]

        return _WORD.sub(replacement, text)


class _Respelling:
    """Replaces words by their other spelling and keeps their case."""

    def __init__(self, spelling: Mapping[str, str]) -> None:
        self._spelling = spelling

    def __call__(self, text: str) -> str:
        def respelled(match: re.Match[str]) -> str:
            word = match.group()
            other = self._spelling.get(word.lower(), word)
            return other.capitalize() if word[0].isupper() and other != word else other

        return _WORD.sub(respelled, text)


def _curly(text: str) -> str:
    return re.sub('"([^"]*)"', "“\\1”", text).replace("'", "’")


def _decisions(model: FrameModel, texts: Sequence[str]) -> list[tuple[str, ...]]:
    classification = classify(model, texts, cuts_at(model, "balanced", {}), explain=False)
    return [tuple(frame.decision for frame in paragraph.values()) for paragraph in classification.paragraphs]


def _invariance(name: str, model: FrameModel, texts: Sequence[str], change: Callable[[str], str]) -> Check:
    pairs = [(text, changed) for text in texts if (changed := change(text)) != text]
    if not pairs:
        return Check(name, "invariance", 0, 0, ())
    before, after = (_decisions(model, list(side)) for side in zip(*pairs, strict=True))
    moved = [changed for (_, changed), old, new in zip(pairs, before, after, strict=True) if old != new]
    return Check(name, "invariance", len(pairs), len(moved), tuple(moved[:3]))


def _order(model: FrameModel, paragraphs: Sequence[CodedParagraph]) -> Check:
    """Checks that reversing the paragraphs of an article changes no decision."""
    articles: dict[str, list[str]] = {}
    for paragraph in paragraphs:
        articles.setdefault(paragraph.article, []).append(paragraph.text)
    moved = []
    for texts in articles.values():
        forwards, backwards = _decisions(model, texts), _decisions(model, texts[::-1])[::-1]
        moved += [text for text, old, new in zip(texts, forwards, backwards, strict=True) if old != new]
    return Check("paragraphs of an article backwards", "invariance", len(paragraphs), len(moved), tuple(moved[:3]))


def _directions(model: FrameModel, pairs: Sequence[Mapping[str, str]]) -> list[Check]:
    """Returns a check per frame and expectation, on the pairs for which the model has the frame and the stance."""
    groups: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for pair in pairs:
        known = pair["expect"] in ("lower", "higher", *model.card.stances)
        if known and pair["frame"] in model.card.frames:
            groups.setdefault((pair["frame"], pair["expect"]), []).append(pair)
    checks = []
    for (frame, expect), group in groups.items():
        failed = [pair["after"] for pair in group if not _moves(model, frame, expect, pair)]
        checks.append(Check(f"{frame}: {expect}", "direction", len(group), len(failed), tuple(failed[:3])))
    return checks


def _moves(model: FrameModel, frame: str, expect: str, pair: Mapping[str, str]) -> bool:
    """Whether the score of the frame, or of the expected stance, moves as expected from `before` to `after`."""
    scored = model.score_with_stances([pair["before"], pair["after"]])
    column = model.frames.index(frame)
    values: Any = scored.frames[:, column]
    if expect in model.card.stances:
        values = scored.stances[:, column, model.card.stances.index(expect)]
    return bool(np.diff(values)[0] < 0 if expect == "lower" else np.diff(values)[0] > 0)
