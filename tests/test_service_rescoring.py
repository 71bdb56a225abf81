"""Stored articles get a scoring by each new champion, in a time that does not grow with the square of the store."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from service.articles.rescoring import Rescoring
from service.store import unscored
from service.store.tables import articles, paragraph_scores, scorings
from tests.support.filled_database import fill

pytestmark = pytest.mark.databases

STORED = 450


@pytest.fixture
def filled(settings, registry, other_challenger):
    """Articles that v1 has scored, with v2 as champion."""
    fill(settings, STORED, 2, lambda _done: None)
    registry.promote(registry.register(other_challenger).version, by="test", reason="try", force=True)


@pytest.fixture
def rescoring(settings, database, registry, filled):
    return Rescoring(settings, database, registry)


def scored_by(database, version):
    with database.read() as connection:
        return unscored.count_scored(connection, version)


def finish(rescoring):
    while rescoring.do_some():
        pass


def forget(database, numbers, version):
    """As if another process had stored these with the model before."""
    with database.write() as connection:
        chosen = scorings.c.article_number.in_(numbers) & (scorings.c.model_version == version)
        connection.execute(delete(scorings).where(chosen))


def test_every_article_is_scored_once_by_the_new_champion_and_keeps_what_it_had(rescoring, database):
    finish(rescoring)
    assert scored_by(database, "v1") == scored_by(database, "v2") == (STORED, STORED)
    with database.read() as connection:
        rows = dict(
            connection.execute(
                select(scorings.c.model_version, func.count())
                .join(paragraph_scores, paragraph_scores.c.scoring_number == scorings.c.number)
                .group_by(scorings.c.model_version)
            ).all()
        )
    assert rows["v1"] == rows["v2"]


def test_each_pass_says_at_its_start_how_long_it_takes(rescoring, database, caplog):
    caplog.set_level("INFO", "framing")
    finish(rescoring)
    forget(database, range(STORED - 30, STORED + 1), "v2")
    finish(rescoring)
    first, second = caplog.messages
    beginning = rf"Rescoring {STORED} articles with v2: about \d+ seconds? at .* \(kind words\); others would take"
    assert re.match(beginning, first)
    assert second.startswith("Rescoring 31 articles with v2: about ")


def test_the_time_that_is_left_follows_from_the_newest_scorings(rescoring, database):
    def left(now):
        with database.read() as connection:
            return unscored.seconds_left(connection, "v2", now)

    now = datetime.now(UTC)
    assert left(now) is None
    assert rescoring.do_some()
    assert left(now) is None  # a single moment shows no pace
    with database.write() as connection:
        connection.execute(update(scorings).values(scored_at=now - timedelta(seconds=10)))
    assert rescoring.do_some()
    with database.write() as connection:
        recent = scorings.c.scored_at > now - timedelta(seconds=5)
        connection.execute(update(scorings).where(recent).values(scored_at=now))
    assert left(now) == pytest.approx((STORED - 40) / 20 * 10)
    assert left(now + timedelta(hours=1)) is None


def test_once_all_are_scored_only_the_newest_are_looked_at(rescoring, database, monkeypatch):
    finish(rescoring)
    looked_at, ask = [], unscored.not_scored_by

    def noting(connection, version, numbers, limit):
        looked_at.append(len(numbers))
        return ask(connection, version, numbers, limit)

    monkeypatch.setattr(unscored, "not_scored_by", noting)
    assert not rescoring.do_some()
    assert sum(looked_at) < STORED / 2
    forget(database, range(STORED - 30, STORED + 1), "v2")
    finish(rescoring)
    assert scored_by(database, "v2") == (STORED, STORED)


def test_after_another_promotion_all_articles_are_checked_again(rescoring, database, registry):
    finish(rescoring)
    forget(database, range(1, 11), "v1")
    registry.roll_back(by="test", reason="worse")
    finish(rescoring)
    assert scored_by(database, "v1") == (STORED, STORED)


def test_an_article_deleted_while_it_was_scored_is_ignored(rescoring, database, monkeypatch):
    add_all = unscored.add_all

    def losing_an_article(connection, scored):
        connection.execute(delete(articles).where(articles.c.number == scored[0][0].number))
        add_all(connection, scored)

    monkeypatch.setattr(unscored, "add_all", losing_an_article)
    assert rescoring.do_some()
    done, there = scored_by(database, "v2")
    assert there == STORED - 1
    assert 0 < done < 20
