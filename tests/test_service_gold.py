"""Gold items: settled paragraphs by which coders train, whose answers are no annotations."""

import pytest
from sqlalchemy import select

from service.store import draws as drawing
from service.store.coding import gold
from service.store.draws.inclusion import inclusions
from service.store.tables import annotations, gold_answers, gold_items
from tests.support.coding_queue import count

FIRST = "The council blamed the old leaders for the burnt granary and the empty stores."
SECOND = "Nobody knows who opened the sluices, and the river has not been measured since."
THIRD = "A caravan of salt merchants reached the upper valley before the first snow came."
FOURTH = "The guards marched through the market, although no order had been given to them."
BLAME, FOREIGN = "blame_on_leadership", "foreign_hand"


@pytest.fixture
def article(client):
    """An article of four paragraphs that share no words."""
    return store(client, [FIRST, SECOND, THIRD, FOURTH])


def store(client, paragraphs, **more):
    body = {"paragraphs": paragraphs, "outlet": "Ilara Post", "force_language": "en", **more}
    answer = client.post("/v1/articles", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def annotate(client, article, paragraph, frames, coder="ilse", **more):
    body = {"coder": coder, "article_id": article, "paragraph": paragraph, "frames": frames, **more}
    answer = client.post("/v1/annotations", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["annotations"][0]


def settle(client, article, paragraph, frames, note=""):
    return annotate(client, article, paragraph, frames, role="adjudicator", note=note)


def make_gold(client, article, paragraph, explanation=""):
    body = {"article_id": article, "paragraph": paragraph, "explanation": explanation}
    answer = client.post("/v1/gold-items", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def train(client, *coders, training, n=0):
    body = {"coders": list(coders), "n": n, "training": training}
    answer = client.post("/v1/assignments", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def queue(client, coder, n=20, training=True):
    return client.post("/v1/coding-queue", json={"coder": coder, "n": n, "training": training}).json()["tasks"]


def gold_of(client, coder):
    return [task["gold_item"] for task in queue(client, coder) if task["gold_item"]]


def reply(client, item, coder, frames):
    answer = client.post(f"/v1/gold-items/{item}/answers", json={"coder": coder, "frames": frames})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_only_a_settled_paragraph_becomes_a_gold_item(client, article):
    body = {"article_id": article, "paragraph": 0}
    unsettled = client.post("/v1/gold-items", json=body)
    assert (unsettled.status_code, "Nobody has settled the paragraph 0" in unsettled.text) == (422, True)
    assert client.post("/v1/gold-items", json={"article_id": article, "paragraph": 9}).status_code == 404
    settle(client, article, 0, {BLAME: "advanced"}, note="Settled case 3.")
    item = make_gold(client, article, 0, "The text itself blames.")
    assert (item["frames"], item["note"], item["answers"]) == ({BLAME: "advanced"}, "Settled case 3.", 0)
    assert make_gold(client, article, 0, "Better words.")["id"] == item["id"]
    [listed] = client.get("/v1/gold-items").json()["gold_items"]
    assert listed["explanation"] == "Better words."


@pytest.mark.databases
def test_gold_items_are_mixed_into_the_queue_of_those_who_are_to_train_and_of_nobody_else(client, article):
    for paragraph in range(3):
        settle(client, article, paragraph, {})
        make_gold(client, article, paragraph)
    words = ("xa", "yo", "zu", "wi", "ve")
    store(client, [" ".join(f"{word}{letter}" for letter in "abcdefg") + "." for word in words])
    refused = client.post("/v1/assignments", json={"coders": ["mira"], "n": 0, "training": 4})
    assert (refused.status_code, "3 gold items, and 4 are wanted" in refused.text) == (422, True)
    train(client, "mira", training=2, n=4)
    tasks = queue(client, "mira")
    assert [bool(task["gold_item"]) for task in tasks] == [True, False, False, False, True, False]
    assert all(task["inclusion_probability"] is None for task in tasks if task["gold_item"])
    assert gold_of(client, "mira") == [task["gold_item"] for task in tasks if task["gold_item"]]
    assert not any(task["gold_item"] for task in queue(client, "mira", training=False))
    assert gold_of(client, "tom") == []
    for item in gold_of(client, "mira"):
        reply(client, item, "mira", {})
    assert gold_of(client, "mira") == []
    [share] = client.get("/v1/assignments").json()["assignments"][0]["coders"]
    assert (share["training_left"], share["waiting"]) == (0, 4)


def test_nobody_trains_with_a_paragraph_that_they_know_or_are_to_annotate(client, article, database):
    for paragraph in range(4):
        settle(client, article, paragraph, {})
        make_gold(client, article, paragraph)
    annotate(client, article, 0, {}, coder="mira")
    with database.write() as connection:
        [candidate] = [drawing.Candidate(1, article, 1, SECOND)]
        drawing.add(connection, "mira", [drawing.NewDraw(candidate, "random", 1.0, False, 4)])
    train(client, "mira", "ilse", training=4)
    units = {f"{article}:{paragraph}" for paragraph in (2, 3)}
    with database.read() as connection:
        numbers = gold.waiting_for(connection, "mira")
        known = connection.execute(select(gold_items.c.number, gold_items.c.unit)).all()
    assert {row.unit for row in known if row.number in numbers} == units
    assert gold_of(client, "ilse") == []  # who has settled them


@pytest.mark.databases
def test_an_answer_is_compared_with_what_was_settled_and_why_and_is_no_annotation(client, article, database):
    settle(client, article, 0, {BLAME: "advanced"}, note="The text itself blames.")
    item = make_gold(client, article, 0, "See case 3.")["id"]
    before = count(database, annotations), client.get("/v1/agreement").json()
    feedback = reply(client, item, "mira", {FOREIGN: "reported"})
    assert (feedback["right"], feedback["counted"]) == (False, True)
    assert feedback["frames"] == [
        {"frame": BLAME, "yours": None, "adjudicated": "advanced", "right": False},
        {"frame": FOREIGN, "yours": "reported", "adjudicated": None, "right": False},
    ]
    assert (feedback["note"], feedback["explanation"]) == ("The text itself blames.", "See case 3.")
    assert (count(database, annotations), client.get("/v1/agreement").json()) == before
    assert client.get("/v1/annotations?coder=mira").json()["annotations"] == []
    with database.read() as connection:
        assert inclusions(connection) == {}


def test_the_first_answer_counts_and_the_next_answer_says_so(client, article, database):
    settle(client, article, 0, {BLAME: "advanced"})
    item = make_gold(client, article, 0)["id"]
    reply(client, item, "mira", {})
    again = reply(client, item, "mira", {BLAME: "advanced"})
    assert (again["counted"], again["right"], again["frames"][0]["yours"]) == (False, False, None)
    assert count(database, gold_answers) == 1
    assert reply(client, item, "tom", {BLAME: "reported"})["right"] is True


def test_scores_count_each_frame_and_stance_against_todays_label(client, article):
    settle(client, article, 0, {BLAME: "advanced"})
    settle(client, article, 1, {})
    first, second = (make_gold(client, article, paragraph)["id"] for paragraph in (0, 1))
    reply(client, first, "mira", {BLAME: "reported"})
    reply(client, second, "mira", {FOREIGN: "present"})
    [score] = client.get("/v1/gold-items/scores").json()["scores"]
    by_frame = {frame["frame"]: frame for frame in score["frames"]}
    assert (score["coder"], score["answered"], score["right"]) == ("mira", 2, 1)
    assert (score["stances"], score["stances_right"]) == (1, 0)
    assert (by_frame[FOREIGN]["right"], by_frame[FOREIGN]["false_alarms"]) == (1, 1)
    settle(client, article, 1, {FOREIGN: "advanced"})
    [score] = client.get("/v1/gold-items/scores").json()["scores"]
    assert (score["right"], score["stances"]) == (2, 1)  # `present` says nothing of a stance
    assert client.get("/v1/gold-items/scores?coder=tom").json()["scores"] == []


def test_an_item_that_is_not_settled_any_longer_is_given_to_nobody(client, article):
    settled = settle(client, article, 0, {})
    item = make_gold(client, article, 0)["id"]
    train(client, "mira", training=1)
    assert gold_of(client, "mira") == [item]
    assert client.delete(f"/v1/annotations/{settled['id']}").status_code == 204
    assert gold_of(client, "mira") == []
    assert client.get("/v1/gold-items").json()["gold_items"][0]["frames"] is None
    lost = client.post(f"/v1/gold-items/{item}/answers", json={"coder": "mira", "frames": {}})
    assert (lost.status_code, "not settled any longer" in lost.text) == (404, True)


def test_an_item_that_is_withdrawn_is_given_to_nobody_and_its_answers_still_count(client, article):
    settle(client, article, 0, {})
    item = make_gold(client, article, 0)["id"]
    train(client, "mira", "tom", training=1)
    reply(client, item, "mira", {})
    assert client.delete(f"/v1/gold-items/{item}").status_code == 204
    assert client.delete(f"/v1/gold-items/{item}").status_code == 404
    assert gold_of(client, "tom") == []
    assert client.get("/v1/gold-items").json()["gold_items"] == []
    assert client.get("/v1/gold-items/scores").json()["scores"][0]["answered"] == 1
    assert make_gold(client, article, 0)["id"] == item
    assert gold_of(client, "tom") == [item]


def test_a_gold_item_never_goes_to_a_second_coder_to_measure_agreement(client, article, database):
    drawn = queue(client, "ben", 4, training=False)
    for task in drawn:
        annotate(client, article, task["paragraph"], {}, coder="ben")
    settle(client, article, 0, {})
    make_gold(client, article, 0)
    with database.read() as connection:
        others = drawing.for_overlap(connection, "mira", 10)
    assert sorted(draw.candidate.paragraph for draw in others) == [1, 2, 3]


@pytest.mark.databases
def test_a_gold_item_follows_its_paragraph_when_a_text_is_replaced_and_ends_with_it(client, database):
    article = store(client, [FIRST, SECOND, THIRD], external_id="a-1")
    for paragraph in (0, 2):
        settle(client, article, paragraph, {BLAME: "advanced"} if paragraph else {})
        make_gold(client, article, paragraph)
    body = {"paragraphs": [FOURTH, SECOND, FOURTH[::-1], THIRD], "outlet": "Ilara Post", "external_id": "a-1"}
    assert client.post("/v1/articles?replace=true", json={**body, "force_language": "en"}).status_code in (200, 201)
    [item] = client.get("/v1/gold-items").json()["gold_items"]
    assert (item["text"], item["frames"]) == (THIRD, {BLAME: "advanced"})
    reply(client, item["id"], "mira", {})
    assert client.delete(f"/v1/articles/{article}").status_code in (200, 202, 204)
    assert (count(database, gold_items), count(database, gold_answers)) == (0, 0)


def test_a_coder_answers_under_the_own_name_and_sees_the_own_score_only(client, article, key_of):
    admin = {"Authorization": f"Bearer {key_of['admin']}"}
    coder = {"Authorization": f"Bearer {key_of['coder']}"}
    client.headers.update(admin)
    settle(client, article, 0, {})
    item = make_gold(client, article, 0)["id"]
    reply(client, item, "tom", {})
    client.headers.update(coder)
    assert reply(client, item, "coder", {})["score"]["answered"] == 1
    foreign = client.post(f"/v1/gold-items/{item}/answers", json={"coder": "tom", "frames": {}})
    assert foreign.status_code == 403
    assert [score["coder"] for score in client.get("/v1/gold-items/scores").json()["scores"]] == ["coder"]
    assert client.get("/v1/gold-items").status_code == 403
    assert client.delete(f"/v1/gold-items/{item}").status_code == 403
    assert client.post("/v1/gold-items", json={"article_id": article, "paragraph": 0}).status_code == 403


def test_a_frame_that_the_codebook_does_not_have_is_refused(client, article):
    settle(client, article, 0, {})
    item = make_gold(client, article, 0)["id"]
    answer = client.post(f"/v1/gold-items/{item}/answers", json={"coder": "mira", "frames": {"weather": "advanced"}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/frames/weather")
    assert client.get("/v1/gold-items/scores").json()["scores"] == []


@pytest.mark.parametrize("paragraph", [2**31, 2**63, 10**30])
@pytest.mark.databases
def test_a_number_that_no_paragraph_can_have_is_refused(client, article, paragraph):
    answer = client.post("/v1/gold-items", json={"article_id": article, "paragraph": paragraph})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/paragraph")
