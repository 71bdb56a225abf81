"""Articles that arrive at the same moment are stored in one transaction, as if one had come after the other."""

from hashlib import sha256

import pytest
from conftest import THREE_PARAGRAPHS
from sqlalchemy import event, func, select

from benchmarks import filled_database
from service.articles.ingest import Submission, prepare, submit_all
from service.schemas.articles import ArticleRequest
from service.store import audit
from service.store.callers import LOCAL
from service.store.idempotency import IdempotencyKeyReusedError
from service.store.tables import articles, daily_frames, paragraph_scores

pytestmark = pytest.mark.databases


@pytest.fixture
def submission(registry, settings):
    model, _ = registry.load_champion()

    def submission(key=None, **fields):
        request = ArticleRequest(**{"text": THREE_PARAGRAPHS, **fields})
        new = prepare(request, model, settings)
        digest = sha256(request.model_dump_json().encode()).hexdigest()
        return Submission(new, LOCAL, key, digest, f"answer {new.article.id}")

    return submission


@pytest.fixture
def submit(database):
    def submit(*submissions):
        with database.write() as connection:
            return submit_all(connection, submissions, hours=24)

    return submit


def stored(database, *columns):
    with database.read() as connection:
        return connection.execute(select(*columns).order_by(articles.c.number)).all()


def test_the_same_article_twice_at_once_is_stored_once(submit, submission, database):
    first, again, elsewhere = submission(), submission(), submission(outlet="Ilara Post")
    receipts = submit(first, again, elsewhere)
    assert [one.article_id for one in receipts] == [
        first.new.article.id,
        first.new.article.id,
        elsewhere.new.article.id,
    ]
    assert [one.stored for one in receipts] == [True, False, True]
    assert {one.answer for one in receipts} == {None}
    assert len(stored(database, articles.c.id)) == 2


@pytest.mark.parametrize("mark", [{"external_id": "own-1"}, {"url": "https://example.org/1"}])
def test_articles_with_the_same_name_at_once_are_one_whatever_their_text(submit, submission, mark):
    receipts = submit(submission(**mark), submission(text=f"{THREE_PARAGRAPHS} More.", **mark))
    assert receipts[0].article_id == receipts[1].article_id
    assert [one.stored for one in receipts] == [True, False]


def test_copies_of_a_story_that_arrive_at_once_know_the_first_of_them(submit, submission, database):
    one, copy, other = (
        submission(outlet="Courier"),
        submission(outlet="Post"),
        submission(text="The harbour was dredged in spring, the mayor of the port told the council at length."),
    )
    submit(one, copy, other)
    first, second, third = stored(database, articles.c.number, articles.c.story)
    assert (first.story, second.story, third.story) == (first.number, first.number, third.number)
    with database.read() as connection:
        counted = connection.execute(
            select(daily_frames.c.first_copy, func.sum(daily_frames.c.articles)).group_by(daily_frames.c.first_copy)
        )
        assert {bool(row[0]): row[1] for row in counted} == {True: 2 * 4, False: 4}


def test_a_request_sent_twice_at_once_under_its_key_gets_one_answer(submit, submission, database):
    one, again, other = submission("k"), submission("k"), submission("other", outlet="Post")
    first, second, third = submit(one, again, other)
    assert (first.stored, second.stored, third.stored) == (True, False, True)
    assert (first.answer, second.answer) == (None, one.answer)
    assert submit(submission("k"))[0].answer == one.answer
    assert len(stored(database, articles.c.id)) == 2


def test_a_key_that_stands_for_another_request_keeps_the_group_from_being_stored(submit, submission, database):
    with pytest.raises(IdempotencyKeyReusedError):
        submit(submission(outlet="Courier"), submission("k"), submission("k", outlet="Post"))
    assert stored(database, articles.c.id) == []


def test_what_arrives_at_once_is_noted_line_by_line(submit, submission, database):
    submit(*(submission(outlet=f"Outlet {number}") for number in range(5)))
    submit(submission(outlet="Outlet 5"), submission(outlet="Outlet 5"))
    with database.read() as connection:
        assert audit.verify(connection) == 6
        lines, _ = audit.listing(connection, None, 10)
        identifiers = connection.scalars(select(articles.c.id).order_by(articles.c.number.desc())).all()
    assert [line.subject for line in lines] == identifiers
    assert [line.detail["outlet"] for line in lines] == [f"Outlet {number}" for number in range(5, -1, -1)]


def test_paragraphs_keep_their_numbers_where_one_between_them_is_set_aside(submit, submission, database):
    cut = THREE_PARAGRAPHS.split("\n\n")
    submit(submission(text=None, paragraphs=[cut[0], "Share on Facebook", cut[1]]))
    with database.read() as connection:
        numbers = set(connection.scalars(select(paragraph_scores.c.paragraph)))
    assert numbers == {0, 2}


def test_many_at_once_are_stored_as_one_by_one(submit, submission, database):
    apart = [submission(outlet=f"Apart {number}") for number in range(3)]
    together = [submission(outlet=f"Together {number}", text=f"{THREE_PARAGRAPHS} Anew.") for number in range(3)]
    for one in apart:
        submit(one)
    submit(*together)
    with database.read() as connection:
        counts = connection.execute(
            select(daily_frames.c.outlet, daily_frames.c.articles, daily_frames.c.paragraphs)
            .where(daily_frames.c.frame == "foreign_hand")
            .order_by(daily_frames.c.outlet)
        ).all()
    assert [tuple(row) for row in counts] == [
        *((f"Apart {number}", 1, 3) for number in range(3)),
        *((f"Together {number}", 1, 3) for number in range(3)),
    ]


@pytest.mark.databases("sqlite")
def test_what_storing_looks_up_it_finds_by_an_index_however_many_articles_there_are(
    settings, database, submit, submission
):
    filled_database.fill(settings, 300, 4, lambda _stored: None)
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    submit(submission(url="https://example.org/1", external_id="1", outlet="Courier"), submission())
    lookups = [(statement, values) for statement, values in asked if "WHERE" in statement]
    assert len(lookups) >= 4
    with database.read() as connection:
        for statement, values in lookups:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            assert not [step for *_, step in plan if step.startswith("SCAN")], statement
