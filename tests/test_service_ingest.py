"""Articles that arrive at the same moment are stored in a single transaction, as if they had come in turn."""

from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import event, func, select

from service.articles.ingest import Submission, scored_article, store_articles
from service.articles.reading import classify_article, read_article
from service.errors import IdempotencyKeyReusedError
from service.schemas.articles import ArticleRequest
from service.store import audit
from service.store.callers import LOCAL
from service.store.tables import articles, daily_frames, paragraph_scores
from tests.support import filled_database
from tests.support.articles import THREE_PARAGRAPHS

pytestmark = pytest.mark.databases


@pytest.fixture
def submission(registry, settings):
    model, _ = registry.load_champion()

    def submission(key=None, **fields):
        request = ArticleRequest(**{"text": THREE_PARAGRAPHS, **fields})
        article = read_article(request, model, settings)
        scored = scored_article(request, article, classify_article(article, request, model), model, request)
        digest = sha256(request.model_dump_json().encode()).hexdigest()
        return Submission(scored, LOCAL, key, digest, f"answer {scored.article.id}")

    return submission


@pytest.fixture
def submit(database):
    def submit(*submissions):
        with database.write() as connection:
            return store_articles(connection, submissions, hours=24)

    return submit


def stored(database, *columns):
    with database.read() as connection:
        return connection.execute(select(*columns).order_by(articles.c.number)).all()


def test_the_same_article_twice_at_once_is_stored_once(submit, submission, database):
    first, again, elsewhere = submission(), submission(), submission(outlet="Ilara Post")
    receipts = submit(first, again, elsewhere)
    assert [receipt.article_id for receipt in receipts] == [
        first.article.article.id,
        first.article.article.id,
        elsewhere.article.article.id,
    ]
    assert [receipt.stored for receipt in receipts] == [True, False, True]
    assert {receipt.answer for receipt in receipts} == {None}
    assert len(stored(database, articles.c.id)) == 2


@pytest.mark.parametrize("mark", [{"external_id": "own-1"}, {"url": "https://example.org/1"}])
def test_of_articles_with_the_same_id_or_url_at_once_another_text_is_a_conflict(submit, submission, mark, database):
    other = f"{THREE_PARAGRAPHS} More."
    receipts = submit(submission(**mark), submission(**mark), submission(text=other, **mark))
    assert len({receipt.article_id for receipt in receipts}) == 1
    assert [receipt.placement.outcome for receipt in receipts] == ["stored", "same", "conflict"]
    assert len(stored(database, articles.c.id)) == 1


def test_an_article_that_replaces_another_of_the_same_transaction_comes_after_it(submit, submission, database):
    first, second = submission(external_id="1"), submission(external_id="1", text="The market reopened on Monday.")
    receipts = submit(first, replace(second, replace=True), submission(external_id="1", text="The road was cleared."))
    assert [receipt.placement.outcome for receipt in receipts] == ["stored", "replaced", "conflict"]
    assert stored(database, articles.c.text) == [("The market reopened on Monday.",)]


def test_copies_of_a_story_that_arrive_at_once_know_the_first_of_them(submit, submission, database):
    original, copy, other = (
        submission(outlet="Courier"),
        submission(outlet="Post"),
        submission(text="The harbour was dredged in spring, the mayor of the port told the council at length."),
    )
    submit(original, copy, other)
    first, second, third = stored(database, articles.c.number, articles.c.story)
    assert (first.story, second.story, third.story) == (first.number, first.number, third.number)
    with database.read() as connection:
        counts = connection.execute(
            select(daily_frames.c.first_copy, func.sum(daily_frames.c.articles)).group_by(daily_frames.c.first_copy)
        )
        assert {bool(row[0]): row[1] for row in counts} == {True: 2 * 4, False: 4}


def test_a_request_sent_twice_at_once_under_its_key_gets_the_same_answer(submit, submission, database):
    original, again, other = submission("k"), submission("k"), submission("other", outlet="Post")
    first, second, third = submit(original, again, other)
    assert (first.stored, second.stored, third.stored) == (True, False, True)
    assert (first.answer, second.answer) == (None, original.answer)
    assert submit(submission("k"))[0].answer == original.answer
    assert len(stored(database, articles.c.id)) == 2


def test_a_key_reused_for_another_request_keeps_the_whole_group_from_being_stored(submit, submission, database):
    with pytest.raises(IdempotencyKeyReusedError):
        submit(submission(outlet="Courier"), submission("k"), submission("k", outlet="Post"))
    assert stored(database, articles.c.id) == []


def test_articles_that_arrive_at_once_are_logged_line_by_line(submit, submission, database):
    submit(*(submission(outlet=f"Outlet {number}") for number in range(5)))
    submit(submission(outlet="Outlet 5"), submission(outlet="Outlet 5"))
    with database.read() as connection:
        assert audit.verify(connection) == 6
        lines, _ = audit.listing(connection, None, 10)
        identifiers = connection.scalars(select(articles.c.id).order_by(articles.c.number.desc())).all()
    assert [line.subject for line in lines] == identifiers
    assert [line.detail["outlet"] for line in lines] == [f"Outlet {number}" for number in range(5, -1, -1)]


@pytest.mark.parametrize(("field", "numbers"), [("paragraphs", {0, 1, 2}), ("text", {0, 1})])
def test_scores_have_the_numbers_of_their_paragraphs_whatever_is_skipped(submit, submission, database, field, numbers):
    texts = THREE_PARAGRAPHS.split("\n\n")
    pieces = [texts[0], "Share on Facebook", texts[1]]
    content = pieces if field == "paragraphs" else "\n\n".join(pieces)
    submit(submission(**{"text": None, field: content}))
    with database.read() as connection:
        assert set(connection.scalars(select(paragraph_scores.c.paragraph))) == numbers


def test_articles_together_are_stored_as_in_turn(submit, submission, database):
    apart = [submission(outlet=f"Apart {number}") for number in range(3)]
    together = [submission(outlet=f"Together {number}", text=f"{THREE_PARAGRAPHS} Again.") for number in range(3)]
    for single in apart:
        submit(single)
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
def test_every_lookup_while_storing_uses_an_index(settings, database, submit, submission):
    filled_database.fill(settings, 300, 4, lambda _stored: None)
    statements = []
    event.listen(database.engine, "before_cursor_execute", lambda *event: statements.append(event[2:4]))
    submit(submission(url="https://example.org/1", external_id="1", outlet="Courier"), submission())
    lookups = [(statement, values) for statement, values in statements if "WHERE" in statement]
    assert len(lookups) >= 4
    with database.read() as connection:
        for statement, values in lookups:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            assert not [step for *_, step in plan if step.startswith("SCAN")], statement
