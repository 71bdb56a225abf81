"""The invented articles of `framing demo` read like reports: a title that fits, a single event, no repetition."""

import random
import re
import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labels.codebook import read_codebook
from labels.duplicates import sketch_article
from labels.paragraphs import split_paragraphs
from service.cli import demonstration
from service.cli.demonstration.articles import ARTICLES, WEEKS, invented_articles

TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
NEWS = tomllib.loads(Path(demonstration.__file__).with_name("news.toml").read_text(encoding="utf-8"))
FRAMES = read_codebook().keys
TOWNS = {town: province["name"] for province in NEWS["provinces"] for town in province["towns"]}


@pytest.fixture(scope="module")
def articles():
    return list(invented_articles(random.Random(1), TODAY))


def sentences(text):
    return re.split(r"(?<=[.?!]) (?=[A-Z])", text)


def test_no_two_articles_have_the_same_title(articles):
    assert len(articles) >= ARTICLES
    assert len({article.metadata.title for article in articles}) == len(articles)


def test_the_sentences_are_for_the_frames_of_the_codebook_that_ships():
    assert set(NEWS["sentences"]) == {*FRAMES, "none"}
    assert set(FRAMES) <= set(NEWS["titles"])


def test_what_the_title_announces_is_in_the_text(articles):
    for article in articles:
        carried = Counter(frame for frames in article.frames for frame in frames)
        if article.theme in FRAMES:
            assert article.theme in article.frames[1], article
        elif article.theme == "local":
            assert not carried, article


def test_an_article_tells_of_a_single_place_that_its_title_names_too(articles):
    for article in articles:
        text = " ".join(article.paragraphs)
        named = {town for town in TOWNS if town in f"{article.metadata.title} {text}"}
        assert len(named) <= 1, article
        provinces = {province["name"] for province in NEWS["provinces"] if province["name"].lower() in text.lower()}
        assert len(provinces - {TOWNS[town] for town in named}) <= (0 if named else 1), article
        if article.theme != "local":
            assert named, article


def test_no_article_says_a_sentence_twice_or_leaves_a_place_unfilled(articles):
    for article in articles:
        written = [sentence for paragraph in article.paragraphs for sentence in sentences(paragraph)]
        assert len(set(written)) == len(written), article
        for text in (article.metadata.title, *article.paragraphs):
            assert "{" not in text
            assert text[0].isupper() or text[0].isdigit(), text


def test_weekdays_are_those_before_the_article_appeared(articles):
    weekdays = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
    for article in articles:
        if article.theme != "local":
            [day] = set(re.findall(rf"on ({weekdays})", article.paragraphs[0])) or {None}
            before = {f"{article.metadata.published_at - timedelta(days=days):%A}" for days in (1, 2)}  # 2: a reprint
            assert day is None or day in before


def test_articles_come_from_several_outlets_over_half_a_year(articles):
    outlets = Counter(article.metadata.outlet for article in articles)
    assert len(outlets) >= 5
    assert min(outlets.values()) >= 30
    days = {article.metadata.published_at.date() for article in articles}
    assert len(days) > 100
    assert max(days) <= TODAY.date()
    assert min(days) >= (TODAY - timedelta(weeks=WEEKS)).date()
    authors = {(article.metadata.outlet, article.metadata.author) for article in articles}
    assert len({author for _, author in authors}) == len(authors)


def test_about_halfway_foreign_hand_becomes_half_as_frequent_again_or_more(articles):
    halfway = TODAY - timedelta(weeks=WEEKS * 0.45)
    by_half = {True: Counter(), False: Counter()}
    for article in articles:
        later = article.metadata.published_at > halfway
        by_half[later].update("foreign_hand" in frames for frames in article.frames)
    before, after = (counts[True] / counts.total() for counts in (by_half[False], by_half[True]))
    assert after > 1.5 * before


def test_the_log_of_actions_has_what_the_demonstration_stored(site):
    stored = len(site.get("/v1/articles?limit=200").json()["articles"])
    lines = site.get("/v1/audit?limit=1000").json()["lines"]
    by_action = Counter(line["action"] for line in lines)
    assert by_action["submit"] >= min(stored, ARTICLES)
    assert by_action["annotate"] >= 300
    assert by_action["train"] >= 1
    assert {line["who"] for line in lines if line["action"] == "submit"} >= {"command line"}


def test_no_paragraph_is_skipped_when_an_article_is_split(articles):
    for article in articles:
        assert len(split_paragraphs(article.paragraphs).paragraphs) == len(article.paragraphs) == len(article.frames)


def test_only_reprints_count_as_copies_of_a_story(articles):
    sketches = [sketch_article(split_paragraphs(article.paragraphs).text) for article in articles]
    copies = [
        (later, earlier)
        for later, sketch in enumerate(sketches)
        for earlier in range(later)
        if sketch.is_copy_of(sketches[earlier])
    ]
    assert copies
    assert all(articles[later].paragraphs == articles[earlier].paragraphs for later, earlier in copies)


def test_the_same_chance_writes_the_same_articles(articles):
    assert list(invented_articles(random.Random(1), TODAY)) == articles
