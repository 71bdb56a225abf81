"""The daily sums are equal to the results of queries over all scores."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import select

from labels.duplicates import sketch_article
from labels.paragraphs import split_paragraphs
from service.store import articles, daily, unscored
from service.store.articles import add_articles, new_article
from service.store.scorings import Scoring
from service.store.sql.database import Database
from service.store.tables import daily_frames, daily_pairs
from tests.support.length import full
from training.scoring.classification import ArticleFrame, Classification, FrameDecision

pytestmark = pytest.mark.databases

FRAMES = ("foreign_hand", "grievance_driven", "militarized_response")
STORIES = [
    " ".join(f"{word}{n}" for n in range(30)) + " said the mayor of the harbour town."
    for word in ("ash", "birch", "cedar")
]
scores = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=4)


def classification(paragraph_scores):
    def decide(score):
        return "present" if score > 0.6 else "uncertain" if score > 0.4 else "absent"

    paragraphs = tuple(
        {f: FrameDecision(s, decide(s), None) for f, s in zip(FRAMES, row, strict=True)} for row in paragraph_scores
    )
    rolled = {}
    for k, frame in enumerate(FRAMES):
        column = [row[k] for row in paragraph_scores]
        decisions = [paragraph[frame].decision for paragraph in paragraphs]
        present = decisions.count("present")
        rolled[frame] = ArticleFrame(
            max(column),
            decide(max(column)),
            present / len(column),
            present,
            decisions.count("uncertain"),
            sum(column) / len(column),
        )
    return Classification(paragraphs, rolled)


def rows(connection, query):
    sums = {}
    for row in connection.execute(query):
        *key, day = [*row[:1], *row[2:5], row[1]]
        frames = tuple(value for value in row[5:] if isinstance(value, str))
        key = (*key, str(day) if isinstance(day, date) else day, frames)
        sums[key] = tuple(pytest.approx(value, abs=1e-9) for value in row[5:] if not isinstance(value, str))
    return sums


class Store(RuleBasedStateMachine):
    """Articles arrive in any order of their dates, are rescored and deleted, both first copies and later copies."""

    folder = None

    def __init__(self):
        super().__init__()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.database = Database(f"sqlite:///{self.folder}/x.sqlite3")
        self.database.migrate()
        self.stored = []
        self.arrivals = 0

    def teardown(self):
        self.database.close()

    @rule(
        arrived=st.lists(
            st.tuples(scores, st.integers(0, 2), st.sampled_from(["Courier", "Post", None]), st.integers(0, 3)),
            min_size=1,
            max_size=3,
        )
    )
    def arrive(self, arrived):
        with self.database.write() as connection:
            identifiers = [
                placed.id for placed in add_articles(connection, [self.article(*article) for article in arrived])
            ]
        self.stored += [(new, len(scores)) for new, (scores, *_) in zip(identifiers, arrived, strict=True)]

    def article(self, scores, story, outlet, day):
        self.arrivals += 1
        text = "\n\n".join(f"{STORIES[story]} Copy {self.arrivals}, part {n}." for n in range(len(scores)))
        split = split_paragraphs([text] * len(scores))
        metadata = articles.Metadata(
            outlet=outlet, published_at=datetime(2026, 3, 1, 23, 59, tzinfo=UTC) + timedelta(days=day)
        )
        new = new_article(metadata, "en", split, self.scoring("v1", scores))
        return replace(new, sketch=sketch_article(STORIES[story]))

    @rule(data=st.data(), version=st.sampled_from(["v2", "v3"]))
    def rescore(self, data, version):
        with self.database.read() as connection:
            pending = unscored.not_scored_by(connection, version, range(1, unscored.newest_number(connection) + 1), 1)
        for article in pending:
            scores = data.draw(
                st.lists(
                    st.lists(st.floats(0, 1), min_size=3, max_size=3),
                    min_size=len(article.split.paragraphs),
                    max_size=len(article.split.paragraphs),
                )
            )
            with self.database.write() as connection:
                unscored.add_all(connection, [(article, self.scoring(version, scores))])

    @rule(place=st.integers(0, 50))
    def delete(self, place):
        if self.stored:
            identifier, _ = self.stored.pop(place % len(self.stored))
            with self.database.write() as connection:
                assert articles.remove_article(connection, identifier)

    @staticmethod
    def scoring(version, scores):
        return Scoring(version, 1, "balanced", classification(scores))

    @invariant()
    def sums_are_equal_to_those_of_the_plain_queries(self):
        with self.database.read() as connection:
            assert rows(connection, select(daily_frames)) == rows(connection, daily.plain_frames())
            assert rows(connection, select(daily_pairs)) == rows(connection, daily.plain_pairs())

    @invariant()
    def each_story_has_a_single_first_copy(self):
        from service.store.tables import articles as table

        with self.database.read() as connection:
            rows = connection.execute(select(table.c.number, table.c.story)).all()
        stories = {row.story for row in rows}
        assert stories == {row.number for row in rows if row.number == row.story}


def test_daily_sums_stay_correct_with_late_articles_rescoring_and_deletions(tmp_path_factory):
    Store.folder = tmp_path_factory.mktemp("store")
    Store.TestCase.settings = settings(
        max_examples=full(25, short=12), stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    Store.TestCase("runTest").runTest()


def test_rebuilt_sums_are_the_same(client, corpus, settings):
    for number in range(6):
        texts = [paragraph.text for paragraph in corpus[number * 5 : number * 5 + 5]]
        client.post(
            "/v1/articles", json={"paragraphs": texts, "outlet": f"Outlet {number % 2}", "force_language": "en"}
        )
    database = Database(settings.store_url)
    with database.write() as connection:
        before = rows(connection, select(daily_frames)), rows(connection, select(daily_pairs))
        daily.rebuild(connection)
        assert (rows(connection, select(daily_frames)), rows(connection, select(daily_pairs))) == before
    database.close()
    assert before[0]
    assert before[1]
