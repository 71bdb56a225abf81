"""Invented articles of several outlets over half a year, put together from the sentences of `news.toml`.

An article reports a single event in a single town, so its title, its paragraphs and the names in them fit together.
"""

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.store.articles import Metadata

ARTICLES, WEEKS = 260, 26
# Probability that another outlet reprints an article, under a title of its own.
_REPRINTED = 0.06
# What an article can be about beside the frames: violence without any frame, and other news.
_AFTERMATH, _LOCAL = "aftermath", "local"
_NONE = "none"
_PLAIN_WEIGHT = 2.0
# How often a paragraph carries the frame of the title, else another, and any in an article about none; how often it
# carries a second frame, has a second sentence with its frame, and another without a frame.
_OF_THE_THEME, _OTHER_FRAME, _FRAME_IN_PLAIN = 0.45, 0.6, 0.35
_SECOND_FRAME, _SECOND_SENTENCE, _PLAIN_SENTENCE = 0.25, 0.4, 0.25


@dataclass(frozen=True, slots=True)
class InventedArticle:
    """An article, and the frames that the sentences of each paragraph were written for."""

    metadata: Metadata
    paragraphs: tuple[str, ...]
    frames: tuple[frozenset[str], ...]
    theme: str


@dataclass(frozen=True, slots=True)
class _Report:
    """What an article is made of: its theme, the names and numbers of its event, and the sentences still unused.

    `leaning` has the weight of each frame in the paragraphs that do not carry the theme.
    """

    theme: str
    names: Mapping[str, str]
    event: Mapping[str, Any]
    leaning: Mapping[str, float]
    chance: random.Random
    unused: dict[str, list[str]] = field(default_factory=dict)

    def filled(self, sentence: str) -> str:
        """A sentence of `news.toml` with the names of this report."""
        while "{" in sentence:
            sentence = sentence.format_map(self.names)
        return sentence[0].upper() + sentence[1:]

    def sentence(self, frame: str) -> str | None:
        """A sentence that carries a frame and was not used in this article; None if all were."""
        left = self.unused[frame]
        return self.filled(left.pop(self.chance.randrange(len(left)))) if left else None


def invented_articles(chance: random.Random, today: datetime) -> Iterator[InventedArticle]:
    """The articles of the demonstration; the last appeared on the day before `today`. No two have the same title."""
    content = tomllib.loads(Path(__file__).with_name("news.toml").read_text(encoding="utf-8"))
    titles: set[str] = set()
    first = today - timedelta(weeks=WEEKS)
    for _ in range(ARTICLES):
        day = chance.randrange(WEEKS * 7)
        outlet = chance.choice(content["outlets"])
        moment = first + timedelta(days=day, minutes=chance.randrange(600))
        report = _report(content, outlet, moment, day / 7, chance)
        paragraphs, frames = zip(*_paragraphs(report), strict=True)
        article = _article(content, report, outlet, moment, titles)
        yield InventedArticle(article, paragraphs, frames, report.theme)
        if chance.random() < _REPRINTED:  # wire copy: another outlet prints it the next day
            other = chance.choice([known for known in content["outlets"] if known != outlet])
            reprint = _article(content, report, other, moment + timedelta(days=1), titles)
            yield InventedArticle(reprint, paragraphs, frames, report.theme)


def _report(
    content: Mapping[str, Any], outlet: Mapping[str, Any], moment: datetime, week: float, chance: random.Random
) -> _Report:
    weights = _leaning(list(content["titles"]), outlet["leans"], week)
    theme = _drawn(weights, chance)
    province = chance.choice(content["provinces"])
    names = {name: chance.choice(choices) for name, choices in (content["numbers"] | content["people"]).items()}
    names |= {name: province[name] for name in ("group", "neighbour")}
    names |= {"province": province["name"], "town": chance.choice(province["towns"])}
    names |= {
        "day": f"{moment - timedelta(days=1):%A}",
        "coming": f"{moment + timedelta(days=chance.randint(2, 5)):%A}",
    }
    event = chance.choice(content["local"] if theme == _LOCAL else content["events"])
    unused = {frame: list(sentences) for frame, sentences in content["sentences"].items()}
    leaning = {frame: weights[frame] for frame in unused if frame != _NONE}
    if theme == _LOCAL:
        return _Report(theme, names, event, leaning, chance)
    unused[_NONE] += event["details"]
    return _Report(theme, names | {"event": event["event"]}, event, leaning, chance, unused)


def _leaning(themes: Sequence[str], leans: str, week: float) -> dict[str, float]:
    """The weight of each theme: outlets lean differently, and an event in the fifteenth week changes the coverage."""
    after = 1.0 if week > WEEKS * 0.55 else 0.0
    weights = {theme: 1.0 + (1.6 if theme == leans else 0.0) for theme in themes if theme != _AFTERMATH}
    more = {"foreign_hand": 3.2, "militarized_response": 1.4}
    return {
        **{theme: weight + after * more.get(theme, -0.3) for theme, weight in weights.items()},
        _AFTERMATH: _PLAIN_WEIGHT,
        _LOCAL: _PLAIN_WEIGHT,
    }


def _drawn(weights: Mapping[str, float], chance: random.Random) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _article(
    content: Mapping[str, Any], report: _Report, outlet: Mapping[str, Any], moment: datetime, titles: set[str]
) -> Metadata:
    """Title, outlet, author and date of a report; the title is none of `titles`, to which it is added."""
    choices = list(report.event["titles"] if report.theme == _LOCAL else content["titles"][report.theme])
    report.chance.shuffle(choices)
    title = next(title for title in _variants(map(report.filled, choices), report) if title not in titles)
    titles.add(title)
    return Metadata(
        title=title, outlet=outlet["name"], author=report.chance.choice(outlet["authors"]), published_at=moment
    )


def _variants(titles: Iterator[str], report: _Report) -> Iterator[str]:
    """Titles as they are, and where all of them are taken, with the province or the day."""
    plain = list(titles)
    yield from plain
    for more in ("{province}: {title}", "{day} in {town}: {title}", "{coming}, {province}: {title}"):
        yield from (report.filled(more.replace("{title}", title)) for title in plain)


def _paragraphs(report: _Report) -> Iterator[tuple[str, frozenset[str]]]:
    """The paragraphs of a report, each with the frames that it carries; the first says what happened."""
    chance = report.chance
    if report.theme == _LOCAL:
        first, *others = report.event["sentences"]
        chosen = [first, *chance.sample(others, k=chance.randint(3, 5))]
        for start in range(0, len(chosen), 2):
            yield " ".join(map(report.filled, chosen[start : start + 2])), frozenset()
        return
    yield report.filled(chance.choice(report.event["leads"])), frozenset()
    for place in range(chance.randint(3, 7)):
        # What the title announces comes first.
        carried = [report.theme] if place == 0 and report.theme in report.leaning else _carried(report)
        sentences = [report.sentence(frame) for frame in carried or (_NONE,)]
        if len(carried) == 1 and chance.random() < _SECOND_SENTENCE:
            sentences.append(report.sentence(*carried))
        if not carried or chance.random() < _PLAIN_SENTENCE:
            sentences.append(report.sentence(_NONE))
        if written := [sentence for sentence in sentences if sentence]:
            yield " ".join(written), frozenset(carried)


def _carried(report: _Report) -> list[str]:
    """The frames of a paragraph: often that of the title, seldom two, in a third of the paragraphs none."""
    chance, has_frame = report.chance, report.theme in report.leaning
    if has_frame and chance.random() < _OF_THE_THEME:
        carried = {report.theme}
    elif chance.random() < (_OTHER_FRAME if has_frame else _FRAME_IN_PLAIN):
        carried = {_drawn(report.leaning, chance)}
    else:
        return []
    if chance.random() < _SECOND_FRAME:
        carried.add(_drawn(report.leaning, chance))
    return [frame for frame in report.leaning if frame in carried and report.unused[frame]]
