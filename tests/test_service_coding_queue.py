"""The coding queue: what reads draws nothing, and what nobody annotates is returned and can be drawn again."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, select, update
from starlette.testclient import TestClient

from service.app import create_app
from service.coding.queue import tasks_for
from service.store import draws as store
from service.store.draws.inclusion import inclusions
from service.store.tables import annotations, articles, draws, returned_draws
from tests.support.coding_queue import (
    ARTICLES,
    PARAGRAPHS,
    annotate,
    assert_mean,
    code,
    count,
    draw,
    included,
    key,
    keys,
    store_of_articles,
    waiting,
)

TEMPLATE = "The council of the harbour town meets on every second Monday of the month and all its meetings are public."


@pytest.fixture
def stored(queue_settings):
    """A database with articles whose paragraphs have no words in common; of paragraph 0, everybody sees the frame."""
    with store_of_articles(queue_settings.store_url) as database:
        yield database


@pytest.fixture
def api(queue_settings, stored):
    with TestClient(create_app(queue_settings), base_url="http://localhost") as client:
        yield client


def give_back(api, coder):
    answer = api.delete("/v1/coding-queue", params={"coder": coder})
    assert answer.status_code == 200, answer.text
    return answer.json()["returned"]


def age(stored, **by):
    """Lets time pass since all draws."""
    with stored.write() as connection:
        for row in connection.execute(select(draws)).all():
            older = row.drawn_at - timedelta(**by)
            connection.execute(update(draws).where(draws.c.number == row.number).values(drawn_at=older))


def test_a_get_draws_nothing_and_shows_what_a_post_has_drawn(api, stored):
    empty = api.get("/v1/coding-queue?coder=mira").json()
    assert (empty["tasks"], count(stored, draws)) == ([], 0)
    assert "POST /v1/coding-queue draws more" in empty["fewer_because"]
    drawn = draw(api, "mira")["tasks"]
    assert keys(waiting(api, "mira")) == keys(drawn)
    assert keys(draw(api, "mira", len(drawn))["tasks"]) == keys(drawn)
    annotate(api, "mira", drawn[0])
    assert keys(waiting(api, "mira")) == keys(drawn[1:])


def test_parameters_that_only_a_draw_has_are_refused_where_nothing_is_drawn(api):
    answer = api.get("/v1/coding-queue?coder=mira&whole=true")
    assert (answer.status_code, "There is no such parameter" in answer.text) == (422, True)
    assert api.post("/v1/coding-queue?coder=mira", json={"coder": "mira"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"coder": " "},
        {"coder": "a\0b"},
        {"coder": "x" * 129},
        {"coder": "mira", "n": 0},
        {"coder": "mira", "n": 201},
        {"coder": "mira", "n": "5"},
        {"coder": "mira", "whole": "yes"},
        {"coder": "mira", "later_frames": True},
        {"n": 5},
        ["mira"],
    ],
)
def test_a_request_for_paragraphs_that_is_not_as_documented_draws_nothing(api, stored, body):
    assert api.post("/v1/coding-queue", json=body).status_code == 422
    assert count(stored, draws) == 0


def test_a_form_of_another_site_draws_nothing(api, stored):
    plain = {"Content-Type": "text/plain"}
    assert api.post("/v1/coding-queue", content='{"coder": "mira"}', headers=plain).status_code == 422
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert api.post("/v1/coding-queue", json={"coder": "mira"}, headers=foreign).status_code == 403
    assert api.delete("/v1/coding-queue?coder=mira", headers=foreign).status_code == 403
    assert count(stored, draws) == 0


def test_what_a_coder_returns_can_be_drawn_again_and_is_logged(api, stored):
    everything = draw(api, "mira", 200)["tasks"]
    assert len(everything) == ARTICLES * PARAGRAPHS
    annotate(api, "mira", everything[0])
    assert draw(api, "tom", 200)["tasks"] == [] or all(task["overlap"] for task in waiting(api, "tom"))
    give_back(api, "tom")
    assert give_back(api, "mira") == len(everything) - 1
    assert (waiting(api, "mira"), give_back(api, "mira")) == ([], 0)
    lines = [line for line in api.get("/v1/audit").json()["lines"] if line["action"] == "return paragraphs"]
    assert {(line["subject"], line["detail"]["paragraphs"]) for line in lines} >= {("mira", len(everything) - 1)}
    again = keys(task for task in draw(api, "ben", 200)["tasks"] if not task["overlap"])
    assert again == keys(everything[1:])


@pytest.mark.databases
def test_what_nobody_annotates_in_time_is_returned_by_the_next_draw_of_anybody(api, stored):
    drawn = draw(api, "mira", 200)["tasks"]
    annotate(api, "mira", drawn[0])
    age(stored, days=13)
    assert draw(api, "tom", 200)["tasks"] == waiting(api, "tom")
    assert keys(waiting(api, "mira")) == keys(drawn[1:])
    give_back(api, "tom")
    age(stored, days=2)
    assert keys(waiting(api, "mira")) == keys(drawn[1:])  # reading returns nothing
    assert keys(task for task in draw(api, "ben", 200)["tasks"] if not task["overlap"]) == keys(drawn[1:])
    assert waiting(api, "mira") == []


def test_with_no_days_to_wait_paragraphs_stay_with_their_coder(stored, queue_settings):
    patient = queue_settings.model_copy(update={"coding_days": 0})
    with TestClient(create_app(patient), base_url="http://localhost") as api:
        drawn = draw(api, "mira", 200)["tasks"]
        age(stored, days=4000)
        draw(api, "tom", 200)
        assert keys(waiting(api, "mira")) == keys(drawn)


def test_a_paragraph_is_not_returned_while_a_second_coder_has_time_for_it(api, stored):
    drawn = draw(api, "mira", 40)["tasks"]
    age(stored, days=20)
    with stored.write() as connection:
        [first] = store.for_overlap(connection, "tom", 1)
        store.add(connection, "tom", [first])
        store.return_due(connection, datetime.now(UTC) - timedelta(days=14))
    assert keys(waiting(api, "mira")) == {first.candidate.unit}
    assert first.candidate.unit in keys(drawn)
    give_back(api, "mira")
    with stored.read() as connection:
        assert first.candidate.unit not in {c.unit for c in store.undrawn(connection, 500)[0]}
    give_back(api, "tom")
    with stored.read() as connection:
        assert first.candidate.unit in {c.unit for c in store.undrawn(connection, 500)[0]}


def test_an_annotation_that_arrives_after_its_paragraph_was_returned_is_still_one_of_a_drawn_paragraph(api, stored):
    task, *_ = draw(api, "mira")["tasks"]
    give_back(api, "mira")
    assert key(task) not in included(stored)
    late = annotate(api, "mira", task)
    assert (late["selection"], late["inclusion_probability"]) == (task["selection"], task["inclusion_probability"])
    assert key(task) in included(stored)
    assert key(task) not in keys(draw(api, "tom", 200)["tasks"])


def test_an_annotation_of_a_returned_paragraph_by_somebody_who_chose_it_corrects_nothing(api, stored):
    task, *_ = draw(api, "mira")["tasks"]
    give_back(api, "mira")
    chosen = annotate(api, "zoe", task)
    assert (chosen["selection"], chosen["inclusion_probability"]) == ("chosen", None)
    assert key(task) not in included(stored)


def test_a_paragraph_that_a_second_coder_annotated_counts_with_its_draw_after_the_first_returned_it(api, stored):
    draw(api, "mira", 40)
    shared, *_ = (task for task in draw(api, "tom", 40)["tasks"] if task["overlap"])
    annotate(api, "tom", shared)
    before = included(stored)[key(shared)]
    give_back(api, "mira")
    assert included(stored)[key(shared)].probability == pytest.approx(before.probability)


@pytest.mark.databases
def test_an_article_that_was_drawn_as_a_whole_is_returned_as_a_whole(api, stored):
    draw(api, "mira", 2, whole=True)
    tasks = waiting(api, "mira")
    identifiers = sorted({task["article_id"] for task in tasks})
    complete, half = ([t for t in tasks if t["article_id"] == identifier] for identifier in identifiers)
    for task in [*complete, *half[:2]]:
        annotate(api, "mira", task)
    assert give_back(api, "mira") == PARAGRAPHS - 2
    wholes = included(stored)
    assert wholes[key(complete[0])].as_whole == pytest.approx(1 / ARTICLES)  # of two drawn, one is complete
    assert wholes[key(half[0])].as_whole == 0
    with stored.read() as connection:
        left, total = store.undrawn_articles(connection, 100)
    assert total == ARTICLES - 1
    again = next(article for article in left if article[0].article_id == identifiers[1])
    assert [candidate.unit for candidate in again[1:]] == [key(task) for task in half[2:]]


def test_returned_draws_follow_their_paragraph_when_a_text_is_replaced_and_end_with_the_article(api, stored):
    draw(api, "mira", 200)
    give_back(api, "mira")
    assert count(stored, returned_draws) == ARTICLES * PARAGRAPHS
    with stored.write() as connection:
        connection.execute(delete(articles).where(articles.c.number == 1))
    assert count(stored, returned_draws) == (ARTICLES - 1) * PARAGRAPHS


@pytest.mark.databases
def test_the_probability_after_a_return_is_that_of_all_ways_to_be_annotated(stored):
    """Drawn of 120, half annotated, the rest returned, drawn again of 90: 1/2 * 1/2 + 3/4 * 2/3 * 1."""
    with stored.write() as connection:
        everything, total = store.undrawn(connection, 500)
        assert total == 120
        first, second = everything[:60], [*everything[30:60], *everything[60:90]]
        store.add(connection, "mira", [store.NewDraw(c, "random", 0.5, False, 120) for c in first])
        for candidate in first[:30]:
            code(connection, "mira", candidate.unit)
        assert store.return_all(connection, "mira") == 30
        store.add(connection, "tom", [store.NewDraw(c, "random", 60 / 90, False, 90) for c in second])
        for candidate in second:
            code(connection, "tom", candidate.unit)
        probabilities = {i.probability for i in inclusions(connection).values()}
    assert sorted(probabilities) == pytest.approx([1 / 4 + 3 / 4 * 2 / 3] * len(probabilities))


def a_round_of_coding(connection, generator):
    """Three coders draw; some annotate a part, somebody returns the rest, and time returns what is left."""
    for coder, number, share in (("ann", 36, 0.5), ("ben", 30, 0.3), ("cem", 30, 1.0), ("ann", 20, 0.8)):
        for task in tasks_for(connection, coder, number, None, generator):
            if generator.random() < share:
                carries = ["foreign_hand"] if task.paragraph == 0 else []
                code(connection, coder, f"{task.article_id}:{task.paragraph}", carries)
        if coder == "ann":
            store.return_all(connection, coder)
        if coder == "ben":
            store.return_due(connection, datetime.now(UTC))


def test_weighted_annotations_stand_for_all_paragraphs_whatever_was_returned(stored):
    generator = np.random.default_rng(3)
    totals, carrying, drawn_only = [], [], []
    for _ in range(60):
        with stored.write() as connection:
            for table in (annotations, draws, returned_draws):
                connection.execute(delete(table))
            a_round_of_coding(connection, generator)
            rows = connection.execute(select(annotations.c.unit, annotations.c.paragraph).distinct()).all()
            probability = {unit: inclusion.probability for unit, inclusion in inclusions(connection).items()}
            recorded = dict(connection.execute(select(draws.c.unit, draws.c.inclusion_probability)).all())
        totals.append(sum(1 / probability[row.unit] for row in rows))
        carrying.append(sum(1 / probability[row.unit] for row in rows if row.paragraph == 0))
        drawn_only.append(sum(1 / recorded[row.unit] for row in rows))
    assert_mean(totals, ARTICLES * PARAGRAPHS)
    assert_mean(carrying, ARTICLES)
    with pytest.raises(AssertionError):  # the probability of the draw alone counts what was drawn twice too often
        assert_mean(drawn_only, ARTICLES * PARAGRAPHS)


def test_an_annotated_paragraph_stands_for_all_its_near_duplicates(queue_settings):
    """A quarter of the paragraphs is a template; each of three coders annotates all that a draw gives."""
    generator = np.random.default_rng(7)
    totals, repeated = [], []
    with store_of_articles(queue_settings.store_url, lambda _number: {"repeated": [TEMPLATE]}) as database:
        for _ in range(60):
            with database.write() as connection:
                for table in (annotations, draws):
                    connection.execute(delete(table))
                for coder in ("ann", "ben", "cem"):
                    for task in tasks_for(connection, coder, 15, None, generator):
                        code(connection, coder, f"{task.article_id}:{task.paragraph}")
                rows = connection.execute(select(annotations.c.unit, annotations.c.paragraph).distinct()).all()
                weight = {unit: 1 / inclusion.probability for unit, inclusion in inclusions(connection).items()}
            totals.append(sum(weight[row.unit] for row in rows))
            repeated.append(sum(weight[row.unit] for row in rows if row.paragraph == PARAGRAPHS - 1))
    assert_mean(totals, ARTICLES * PARAGRAPHS)
    assert_mean(repeated, ARTICLES)
