"""Assignments: drawn at once for several coders, with probabilities that keep corrected shares unbiased."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise

import numpy as np
import pytest
from sqlalchemy import delete, select, update
from starlette.testclient import TestClient

from service.access.secrets import create_key
from service.app import create_app
from service.coding.assignments import assign
from service.coding.queue import tasks_for
from service.schemas.assignments import AssignmentRequest
from service.store import draws as drawing
from service.store.coding import assignments as store
from service.store.draws.inclusion import inclusions
from service.store.tables import annotations, assignments, draws, returned_draws
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.coding_queue import (
    ARTICLES,
    FIRST_DAY,
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

OUTLETS = ("Ilara Post", "Valley Times", None)
KEYS = (("ilse", "admin"), ("mira", "coder"))
TODAY = datetime.now(UTC).date()


@pytest.fixture
def stored(queue_settings):
    """Thirty articles of three outlets and as many days, whose paragraphs have no words in common."""

    def of(number):
        return {"outlet": OUTLETS[number % 3], "dated_at": FIRST_DAY + timedelta(days=number - 1, hours=12)}

    with store_of_articles(queue_settings.store_url, of) as database:
        yield database


@pytest.fixture
def api(queue_settings, stored):
    with TestClient(create_app(queue_settings)) as client:
        yield client


def assigned(api, **request):
    answer = api.post("/v1/assignments", json={"coders": ["mira"], "n": 10, **request})
    assert answer.status_code == 201, answer.text
    return answer.json()


def refusal(api, **request):
    answer = api.post("/v1/assignments", json={"coders": ["mira"], "n": 10, **request})
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    return error["pointer"], error["detail"]


def number_of(task):
    return int(task["article_id"], 16)


def share_of(api, identifier, coder):
    shares = api.get(f"/v1/assignments/{identifier}").json()["coders"]
    return next(share for share in shares if share["coder"] == coder)


def test_assigned_paragraphs_come_before_all_others_and_nothing_is_drawn_while_they_wait(api, stored):
    own = draw(api, "mira", 5)["tasks"]
    later = assigned(api, n=2, due=str(TODAY + timedelta(days=9)))
    sooner = assigned(api, n=2, due=str(TODAY + timedelta(days=1)), note="The harbour series.")
    assert (sooner["drawn"], sooner["pool"], sooner["note"]) == (2, 120 - len(own) - 2, "The harbour series.")
    assert sooner["inclusion_probability"] == pytest.approx(2 / sooner["pool"])
    tasks = waiting(api, "mira")
    assert [task["assignment"] for task in tasks[:4]] == [sooner["id"]] * 2 + [later["id"]] * 2
    assert [task["due"] for task in tasks[:4]] == [sooner["due"]] * 2 + [later["due"]] * 2
    assert keys(tasks[4:]) == keys(own)
    answer = draw(api, "mira", 50)
    assert keys(answer["tasks"]) == keys(tasks)
    assert "assigned paragraphs wait" in answer["fewer_because"]
    for task in tasks[:4]:
        annotate(api, "mira", task)
    assert len(draw(api, "mira", 50)["tasks"]) > 40
    assert share_of(api, sooner["id"], "mira")["annotated"] == 2


@pytest.mark.databases
def test_each_paragraph_goes_to_so_many_coders_who_receive_equally_many_and_all_meet(api, stored):
    coders = ["ann", "ben", "cem", "dora"]
    assigned(api, coders=coders, n=30, coders_each=2)
    received = {coder: waiting(api, coder) for coder in coders}
    assert [len(tasks) for tasks in received.values()] == [15] * 4
    times = Counter(key(task) for tasks in received.values() for task in tasks)
    assert (len(times), set(times.values())) == (30, {2})
    pairs = {two: len(keys(received[two[0]]) & keys(received[two[1]])) for two in combinations(coders, 2)}
    assert set(pairs.values()) == {5}
    first = [task for tasks in received.values() for task in tasks if not task["overlap"]]
    assert keys(first) == set(times)


@pytest.mark.databases
def test_only_the_articles_of_the_outlets_and_days_are_drawn_from(api, stored):
    answer = assigned(api, n=100, outlets=["Ilara Post", ""], **{"from": "2026-01-04", "to": "2026-01-09"})
    assert (answer["outlets"], answer["from"], answer["to"]) == (["Ilara Post", ""], "2026-01-04", "2026-01-09")
    assert {number_of(task) for task in waiting(api, "mira")} == {5, 6, 8, 9}
    assert (answer["drawn"], answer["pool"]) == (16, 16)
    assert answer["fewer_because"] == "Only 16 paragraphs were left to draw."
    left = api.get("/v1/assignments/supply?outlet=Ilara Post").json()
    assert left["paragraphs"] == 4 * (10 - 2)
    assert left["articles"] == 10


def test_a_supply_counts_what_an_assignment_would_draw_from_and_draws_nothing(api, stored):
    assert api.get("/v1/assignments/supply").json() == {"paragraphs": 120, "articles": 30, "gold_items": 0}
    assert api.get("/v1/assignments/supply?from=2026-01-30&to=2026-01-01").status_code == 422
    assert count(stored, draws) == 0


def test_whole_articles_are_assigned_with_all_their_paragraphs(api, stored):
    answer = assigned(api, coders=["mira", "tom"], n=3, whole=True, coders_each=2)
    tasks = waiting(api, "mira")
    assert (answer["drawn"], answer["pool"], len(tasks)) == (3, 30, 3 * PARAGRAPHS)
    assert set(Counter(number_of(task) for task in tasks).values()) == {PARAGRAPHS}
    assert keys(waiting(api, "tom")) == keys(tasks)
    for task in tasks[:8]:
        annotate(api, "mira", task)
    complete = [entry for entry in included(stored).values() if entry.as_whole]
    assert {round(entry.as_whole, 6) for entry in complete} >= {round(3 / 30 * 2 / 3, 6)}


@pytest.mark.parametrize(
    ("request_", "pointer", "words"),
    [
        ({"coders": ["mira", "mira "]}, "/coders", "named twice"),
        ({"coders_each": 2}, "/coders_each", "2 coders, but the assignment names only 1"),
        ({"n": 0}, "/n", "Nothing is assigned"),
        ({"due": "2020-01-01"}, "/due", "has passed"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "/to", "ends on 2026-01-01 before"),
        ({"outlets": ["No Such Paper"]}, "/n", "No paragraph is left to draw in the articles of these outlets"),
        ({"training": 3}, "/training", "0 gold items, and 3 are wanted"),
        ({"n": 400, "coders": [f"c{number}" for number in range(50)], "coders_each": 50}, "/n", "at most 10,000"),
        ({"n": 1001, "whole": True}, "/n", "at most 1,000 whole articles"),
        ({"coders": []}, "/coders", ""),
        ({"n": 5001}, "/n", ""),
    ],
)
def test_an_assignment_that_cannot_be_made_says_which_field_and_why_and_draws_nothing(
    api, stored, request_, pointer, words
):
    place, detail = refusal(api, **request_)
    assert (place, words in detail) == (pointer, True), detail
    assert (count(stored, draws), count(stored, assignments)) == (0, 0)


def test_what_is_assigned_is_not_returned_with_all_else_and_the_answer_says_so(api, stored):
    own = draw(api, "mira", 6)["tasks"]  # fewer than six where chance takes a paragraph both ways
    assigned(api, n=4)
    answer = api.delete("/v1/coding-queue?coder=mira").json()
    assert (answer["returned"], answer["assigned"]) == (len(own), 4)
    assert len(waiting(api, "mira")) == 4


@pytest.mark.databases
def test_an_assignment_that_ends_returns_what_is_not_annotated_and_keeps_the_rest(api, stored):
    identifier = assigned(api, coders=["mira", "tom"], n=20)["id"]
    mine, others = waiting(api, "mira"), waiting(api, "tom")
    for task in mine[:3]:
        annotate(api, "mira", task)
    assert api.post(f"/v1/assignments/{identifier}/end").json() == {"id": identifier, "returned": 17}
    assert api.post(f"/v1/assignments/{identifier}/end").json()["returned"] == 0
    assert (waiting(api, "mira"), waiting(api, "tom")) == ([], [])
    share = share_of(api, identifier, "mira")
    assert [share[name] for name in ("paragraphs", "annotated", "returned", "waiting")] == [10, 3, 7, 0]
    assert set(included(stored)) == keys(mine[:3])
    back = keys(mine[3:] + others)
    with stored.read() as connection:
        assert back <= {candidate.unit for candidate in drawing.undrawn(connection, 500)[0]}
    lines = [line["action"] for line in api.get("/v1/audit").json()["lines"]]
    assert (lines.count("assign"), lines.count("end assignment")) == (1, 1)


@pytest.mark.databases
def test_assigned_paragraphs_stay_until_their_last_day_has_passed_and_then_go_like_all_others(api, stored):
    due = assigned(api, n=5, due=str(TODAY))
    endless = assigned(api, coders=["tom"], n=5)
    with stored.write() as connection:
        connection.execute(update(draws).values(drawn_at=datetime.now(UTC) - timedelta(days=60)))
    draw(api, "zoe", 3)
    assert (len(waiting(api, "mira")), len(waiting(api, "tom"))) == (5, 5)
    with stored.write() as connection:
        over = update(assignments).where(assignments.c.id == due["id"])
        connection.execute(over.values(due=TODAY - timedelta(days=1)))
    draw(api, "zoe", 6)
    assert (waiting(api, "mira"), len(waiting(api, "tom"))) == ([], 5)
    assert share_of(api, due["id"], "mira")["returned"] == 5
    assert share_of(api, endless["id"], "tom")["returned"] == 0


def test_coders_can_be_given_more_time(api, stored):
    identifier = assigned(api, due=str(TODAY))["id"]
    later = str(TODAY + timedelta(days=7))
    assert api.patch(f"/v1/assignments/{identifier}", json={"due": later}).json()["due"] == later
    assert waiting(api, "mira")[0]["due"] == later
    assert api.patch(f"/v1/assignments/{identifier}", json={"due": "2020-01-01"}).status_code == 422
    assert api.patch(f"/v1/assignments/{identifier}", json={"due": None}).json()["due"] is None
    assert api.patch(f"/v1/assignments/{'0' * 32}", json={"due": None}).status_code == 404
    api.post(f"/v1/assignments/{identifier}/end")
    ended = api.patch(f"/v1/assignments/{identifier}", json={"due": later})
    assert (ended.status_code, "has ended" in ended.text) == (422, True)


def test_an_assigned_paragraph_goes_to_no_coder_beyond_those_whom_the_assignment_names(api, stored):
    tasks = assigned(api, n=120) and waiting(api, "mira")
    assert len(tasks) == 120
    assert draw(api, "tom", 40)["tasks"] == []


def test_assignments_are_listed_newest_first_and_in_pages(api, stored):
    made = [assigned(api, coders=["mira", "tom"] if number % 2 else ["tom"], n=2)["id"] for number in range(4)]
    first = api.get("/v1/assignments?limit=3").json()
    rest = api.get("/v1/assignments", params={"cursor": first["next"]}).json()
    assert [entry["id"] for entry in first["assignments"] + rest["assignments"]] == made[::-1]
    assert rest["next"] is None
    own = api.get("/v1/assignments?coder=mira&limit=1").json()
    assert [entry["id"] for entry in own["assignments"]] == [made[3]]
    assert [share["coder"] for share in own["assignments"][0]["coders"]] == ["mira"]
    following = api.get("/v1/assignments", params={"coder": "mira", "cursor": own["next"]}).json()
    assert ([entry["id"] for entry in following["assignments"]], following["next"]) == ([made[1]], None)


# -- probabilities ----------------------------------------------------------------------------------------------------


def code_some(connection, coder, count, share, generator):
    for task in drawing.open_tasks(connection, coder, count):
        if generator.random() < share:
            code(connection, coder, f"{task.article_id}:{task.paragraph}")


def a_round_of_coding(connection, generator, *, reach):
    """The queue draws before and after an assignment, of which ben annotates all and cem little."""
    tasks_for(connection, "ann", 24, None, generator)
    code_some(connection, "ann", 24, 0.6, generator)
    request = AssignmentRequest(coders=["ben", "cem", "dora"], n=18, coders_each=2, **reach)
    assignment = assign(connection, request, "ilse", generator)
    code_some(connection, "ben", 40, 1.0, generator)
    code_some(connection, "cem", 40, 0.2, generator)
    tasks_for(connection, "eva", 20, None, generator)
    code_some(connection, "eva", 20, 0.7, generator)
    drawing.return_assigned(connection, assignment.number)
    store.end(connection, assignment.number)
    drawing.return_all(connection, "ann")
    tasks_for(connection, "fay", 20, None, generator)
    code_some(connection, "fay", 20, 1.0, generator)


def weighted_counts(connection):
    """How many paragraphs annotations stand for: of all articles, and of the outlet of the assignment."""
    probability = {unit: inclusion.probability for unit, inclusion in inclusions(connection).items()}
    query = select(annotations.c.unit, annotations.c.article_number).distinct()
    weights = [(row.article_number, 1 / probability[row.unit]) for row in connection.execute(query)]
    return sum(weight for _, weight in weights), sum(weight for number, weight in weights if number % 3 == 0)


def test_annotations_stand_for_all_paragraphs_whatever_was_assigned_to_whom_and_from_which_outlet(stored):
    generator = np.random.default_rng(5)
    everything, outlet, blind = [], [], []
    for _ in range(40):
        with stored.write() as connection:
            for table in (annotations, draws, returned_draws, assignments):
                connection.execute(delete(table))
            a_round_of_coding(connection, generator, reach={"outlets": [OUTLETS[0]]})
            of_all, of_outlet = weighted_counts(connection)
            everything.append(of_all)
            outlet.append(of_outlet)
            # As if the assignment had drawn from all articles.
            connection.execute(update(assignments).values(outlets=None))
            blind.append(weighted_counts(connection)[0])
    assert_mean(everything, ARTICLES * PARAGRAPHS)
    assert_mean(outlet, ARTICLES * PARAGRAPHS / 3)
    with pytest.raises(AssertionError):
        assert_mean(blind, ARTICLES * PARAGRAPHS)


def test_an_assignment_from_all_articles_is_a_single_draw_whichever_coder_does_most_of_it(stored):
    with stored.write() as connection:
        request = AssignmentRequest(coders=["ben", "cem"], n=60)
        assign(connection, request, "ilse", np.random.default_rng(1))
        code_some(connection, "ben", 100, 1.0, np.random.default_rng(1))
        probabilities = {round(entry.probability, 9) for entry in inclusions(connection).values()}
    # Of 120 paragraphs 60 were drawn, and 30 of them annotated.
    assert probabilities == {0.25}


# -- corrected shares -------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(client, corpus):
    """Forty articles of four paragraphs by two outlets."""
    for number in range(40):
        texts = [paragraph.text for paragraph in corpus[number * 4 : number * 4 + 4]]
        outlet, day = ("Harbour Post", "Valley Times")[number % 2], f"2026-03-{number % 28 + 1:02}"
        body = {"paragraphs": texts, "outlet": outlet, "published_at": day, "force_language": "en"}
        assert client.post("/v1/articles", json=body).status_code == 201
    return client


def annotate_all(client, corpus, tasks, coder):
    gold = {p.text: dict(p.annotations[0].frames) for p in corpus}
    body = [
        {"coder": coder, "article_id": t["article_id"], "paragraph": t["paragraph"], "frames": gold[t["text"]]}
        for t in tasks
    ]
    assert client.post("/v1/annotations", json=body).status_code == 201


def corrections(client, **parameters):
    answer = client.get("/v1/prevalence", params={"frame": "foreign_hand", **parameters})
    return {row["outlet"]: (row["correction"], row["annotations"]) for row in answer.json()["rows"]}


def test_an_assignment_of_an_outlet_corrects_its_share_and_no_share_of_more_than_it_drew_from(filled, corpus):
    assigned(filled, coders=["mira"], n=60, outlets=["Harbour Post"])
    annotate_all(filled, corpus, waiting(filled, "mira"), "mira")
    assert corrections(filled, by="outlet") == {
        "Harbour Post": ("annotations", 60),
        "Valley Times": ("too_few_annotations", 0),
    }
    assert corrections(filled, by="") == {None: ("too_few_annotations", 0)}
    assert corrections(filled, by="", outlet="Harbour Post") == {None: ("annotations", 60)}
    borrowed = corrections(filled, by="outlet", borrow="true")
    assert borrowed["Valley Times"] == ("too_few_annotations", 0)
    # Once enough is annotated of what was drawn from all articles, both count, with the weights of both.
    annotate_all(filled, corpus, draw(filled, "tom", 60)["tasks"], "tom")
    [(correction, together)] = corrections(filled, by="").values()
    assert (correction, together > 100) == ("annotations", True)


def test_an_assignment_of_some_days_corrects_the_periods_within_them(filled, corpus):
    assigned(filled, coders=["mira"], n=90, **{"from": "2026-03-02", "to": "2026-03-15"})
    annotate_all(filled, corpus, waiting(filled, "mira"), "mira")
    answer = filled.get("/v1/prevalence", params={"frame": "foreign_hand", "by": "month", "from": "2026-03-02"})
    assert [row["correction"] for row in answer.json()["rows"]] == ["too_few_annotations"]
    within = {"frame": "foreign_hand", "by": "month", "from": "2026-03-03", "to": "2026-03-14"}
    assert [row["correction"] for row in filled.get("/v1/prevalence", params=within).json()["rows"]] == ["annotations"]


# -- who may ----------------------------------------------------------------------------------------------------------


def test_a_coder_sees_the_own_share_of_own_assignments_and_assigns_nothing(client, database):
    assert client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).status_code == 201
    with database.write() as connection:
        admin, mira = (create_key(connection, name, role, None).shown for name, role in KEYS)
    client.headers["Authorization"] = f"Bearer {admin}"
    shared = assigned(client, coders=["mira", "tom"], n=2)["id"]
    others = assigned(client, coders=["tom"], n=1)["id"]
    client.headers["Authorization"] = f"Bearer {mira}"
    [own] = client.get("/v1/assignments").json()["assignments"]
    assert (own["id"], [share["coder"] for share in own["coders"]]) == (shared, ["mira"])
    assert client.get(f"/v1/assignments/{shared}").json() == own
    assert client.get(f"/v1/assignments/{others}").status_code == 404
    assert client.get("/v1/assignments?coder=tom").status_code == 403
    assert client.post("/v1/assignments", json={"coders": ["mira"], "n": 1}).status_code == 403
    assert client.patch(f"/v1/assignments/{shared}", json={"due": None}).status_code == 403
    assert client.post(f"/v1/assignments/{shared}/end").status_code == 403
    assert client.get("/v1/assignments/supply").status_code == 403
    page = client.get("/coding/assignments").text
    assert ("2 of 3 paragraphs" in page, "New assignment" in page, "tom" in page) == (True, False, False)


def test_days_of_an_assignment_are_days_in_utc(stored):
    with stored.write() as connection:
        days = {"from": "2026-01-02", "to": "2026-01-03"}
        request = AssignmentRequest.model_validate({"coders": ["mira"], "n": 200, **days})
        assign(connection, request, "ilse", np.random.default_rng(1))
        tasks = drawing.open_tasks(connection, "mira", 100)
    assert {int(task.article_id, 16) for task in tasks} == {2, 3}
    assert request.since == date(2026, 1, 2)
    assert all(first.assignment == second.assignment for first, second in pairwise(tasks))


@pytest.mark.databases
def test_a_paragraph_that_its_coder_has_settled_waits_for_that_coder_no_longer(api, stored):
    identifier = assigned(api, coders=["mira"], n=3)["id"]
    [settled, *others] = waiting(api, "mira")
    place = {"article_id": settled["article_id"], "paragraph": settled["paragraph"]}
    settling = {"coder": "mira", "role": "adjudicator", "frames": {}, **place}
    assert api.post("/v1/annotations", json=settling).status_code == 201
    assert keys(waiting(api, "mira")) == keys(others)
    share = share_of(api, identifier, "mira")
    assert (share["annotated"], share["waiting"]) == (1, 2)
    api.post(f"/v1/assignments/{identifier}/end")
    share = share_of(api, identifier, "mira")
    assert (share["returned"], share["waiting"]) == (2, 0)
