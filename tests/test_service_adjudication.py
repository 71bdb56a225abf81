"""What an adjudicator settles, and the progress of coders."""

import pytest

from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import api_of, bearer, pointers

pytestmark = pytest.mark.databases


@pytest.fixture
def article(client):
    body = {"text": THREE_PARAGRAPHS, "outlet": "Courier", "title": "Three", "published_at": "2026-03-02"}
    return client.post("/v1/articles", json=body).json()["id"]


@pytest.fixture
def annotate(client, article):
    """Annotates a paragraph of the article, by its number, or a text."""

    def annotate(coder, paragraph, frames, **more):
        about = {"article_id": article, "paragraph": paragraph}
        if isinstance(paragraph, str):
            about = {"text": paragraph, "source": "radio"}
        answer = client.post("/v1/annotations", json={"coder": coder, "frames": frames, **about, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()["annotations"][0]

    return annotate


@pytest.fixture
def to_settle(client):
    def to_settle(**parameters):
        answer = client.get("/v1/disagreements", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return to_settle


@pytest.fixture
def coder(client):
    def coder(name):
        return next(entry for entry in client.get("/v1/coders").json()["coders"] if entry["coder"] == name)

    return coder


def test_a_disagreement_shows_what_each_coder_decided_and_where(article, annotate, to_settle):
    annotate("ann", 1, {"foreign_hand": "reported"}, note="the minister says so", unsure=True)
    annotate("ben", 1, {})
    annotate("ann", 0, {"foreign_hand": "reported"})
    annotate("ben", 0, {"foreign_hand": "reported"})
    answer = to_settle()
    [paragraph] = answer["paragraphs"]
    assert (paragraph["article_id"], paragraph["paragraph"], paragraph["title"]) == (article, 1, "Three")
    assert (paragraph["outlet"], paragraph["published_at"][:10]) == ("Courier", "2026-03-02")
    assert paragraph["text"] == THREE_PARAGRAPHS.split("\n\n")[1]
    assert (paragraph["presence"], paragraph["stance"]) == (["foreign_hand"], [])
    assert paragraph["reasons"] == ["presence", "unsure"]
    decisions = [(d["coder"], d["frames"], d["note"], d["unsure"]) for d in paragraph["annotations"]]
    assert decisions == [("ann", {"foreign_hand": "reported"}, "the minister says so", True), ("ben", {}, "", False)]
    assert paragraph["settled"] is None
    assert (answer["total"], answer["by_reason"]) == (1, {"presence": 1, "stance": 0, "unsure": 1})
    assert answer["by_frame"]["foreign_hand"] == {"presence": 1, "stance": 0}


def test_an_adjudication_settles_a_paragraph_until_it_is_deleted(client, annotate, to_settle):
    annotate("ann", 1, {"foreign_hand": "reported"})
    annotate("ben", 1, {})
    settled = annotate("prof", 1, {}, role="adjudicator", note="nobody says so")
    assert to_settle()["paragraphs"] == []
    [paragraph] = to_settle(settled=True)["paragraphs"]
    assert (paragraph["settled"]["coder"], paragraph["settled"]["note"]) == ("prof", "nobody says so")
    client.delete(f"/v1/annotations/{settled['id']}")
    assert to_settle()["total"] == 1
    assert to_settle(settled=True)["total"] == 0


def test_an_adjudication_of_some_frames_leaves_the_others_open(annotate, to_settle):
    annotate("ann", 1, {"foreign_hand": "reported", "grievance_driven": "advanced"})
    annotate("ben", 1, {})
    annotate("prof", 1, {"foreign_hand": "reported"}, role="adjudicator", covered=["foreign_hand"])
    assert to_settle()["paragraphs"][0]["settled"]["covered"] == ["foreign_hand"]
    annotate("prof", 1, {}, role="adjudicator", covered=["grievance_driven"])
    assert to_settle()["total"] == 0


def test_coders_who_decided_about_different_frames_do_not_differ(annotate, to_settle):
    annotate("ann", 1, {"foreign_hand": "reported"}, covered=["foreign_hand"])
    annotate("ben", 1, {"grievance_driven": "advanced"}, covered=["grievance_driven"])
    annotate("eva", 0, {"foreign_hand": "reported"})
    annotate("tom", 0, {"foreign_hand": "present"})
    assert to_settle()["total"] == 0


def test_what_a_single_coder_is_unsure_of_waits_too(annotate, to_settle):
    annotate("ann", 1, {"foreign_hand": "reported"}, unsure=True)
    assert [p["reasons"] for p in to_settle()["paragraphs"]] == [["unsure"]]
    annotate("ann", 1, {"foreign_hand": "reported"})
    assert to_settle()["total"] == 0, "the coder is sure now"
    annotate("ann", 1, {"foreign_hand": "reported"}, unsure=True)
    annotate("prof", 1, {"foreign_hand": "reported"}, role="adjudicator")
    assert to_settle()["total"] == 0


@pytest.mark.parametrize(
    ("parameters", "texts"),
    [
        ({}, ["stance", "presence", "unsure"]),
        ({"reason": "stance"}, ["stance"]),
        ({"reason": "unsure"}, ["unsure"]),
        ({"frame": "foreign_hand"}, ["stance"]),
        ({"frame": "foreign_hand", "reason": "presence"}, []),
        ({"frame": "grievance_driven"}, ["presence"]),
        ({"coder": "eva"}, ["presence"]),
        ({"coder": "nobody"}, []),
    ],
)
def test_an_adjudicator_chooses_what_to_settle(annotate, to_settle, parameters, texts):
    annotate("ann", "stance", {"foreign_hand": "reported"})
    annotate("ben", "stance", {"foreign_hand": "advanced"})
    annotate("ann", "presence", {"grievance_driven": "advanced"})
    annotate("eva", "presence", {})
    annotate("ann", "unsure", {}, unsure=True)
    assert [p["text"] for p in to_settle(**parameters)["paragraphs"]] == texts


def test_paragraphs_come_page_by_page_the_oldest_first_and_each_once(annotate, to_settle):
    for number in range(5):
        annotate("ann", f"Text {number}.", {"foreign_hand": "reported"})
        annotate("ben", f"Text {number}.", {})
    first = to_settle(limit=2)
    assert [p["text"] for p in first["paragraphs"]] == ["Text 0.", "Text 1."]
    annotate("prof", "Text 0.", {}, role="adjudicator")
    second = to_settle(limit=2, cursor=first["next"])
    assert ([p["text"] for p in second["paragraphs"]], second["total"]) == (["Text 2.", "Text 3."], 4)
    third = to_settle(limit=2, cursor=second["next"])
    assert ([p["text"] for p in third["paragraphs"]], third["next"]) == (["Text 4."], None)


def test_a_frame_that_the_codebook_does_not_have_is_refused(client):
    answer = client.get("/v1/disagreements", params={"frame": "rain"})
    assert (answer.status_code, pointers(answer.json())) == (422, ["query/frame"])


def test_the_progress_of_a_coder_counts_what_is_in_force_and_what_waits(client, annotate, coder):
    client.post("/v1/coding-queue", json={"coder": "ann", "n": 3})
    assert (coder("ann")["annotations"], coder("ann")["waiting"], coder("ann")["last_at"]) == (0, 3, None)
    annotate("ann", 0, {}, unsure=True)
    annotate("ann", 1, {"foreign_hand": "reported"})
    annotate("ann", 1, {})
    last = annotate("ann", "radio news", {}, role="adjudicator")
    progress = coder("ann")
    assert (progress["annotations"], progress["last_seven_days"], progress["waiting"]) == (2, 2, 1)
    assert (progress["unsure"], progress["adjudications"]) == (1, 1)
    assert progress["last_at"] == last["created_at"]
    assert progress["with_adjudicated"] is None


def test_coders_see_how_often_they_decided_as_the_adjudicator_did(annotate, coder):
    annotate("ann", 0, {"foreign_hand": "reported"})
    annotate("ann", 1, {"foreign_hand": "reported"})
    annotate("ann", 2, {"foreign_hand": "contested"}, covered=["foreign_hand"])
    annotate("prof", 0, {}, role="adjudicator")
    annotate("prof", 1, {"foreign_hand": "reported", "grievance_driven": "advanced"}, role="adjudicator")
    annotate("prof", 2, {"foreign_hand": "reported", "grievance_driven": "advanced"}, role="adjudicator")
    assert coder("ann")["with_adjudicated"] == {
        "paragraphs": 3,
        "same": 1,
        "missed": {"grievance_driven": 1},
        "added": {"foreign_hand": 1},
    }
    assert coder("prof")["with_adjudicated"] is None


def test_whoever_has_a_key_of_the_role_coder_is_listed_before_the_first_annotation(settings, key_of):
    with api_of(settings) as client:
        coders = client.get("/v1/coders", headers=bearer(key_of["admin"])).json()["coders"]
    assert [(entry["coder"], entry["annotations"], entry["last_at"]) for entry in coders] == [("coder", 0, None)]


def test_only_an_admin_sees_the_desk(settings, key_of):
    with api_of(settings) as client:
        for path in ("/coding/desk", "/coding/disagreements"):
            assert client.get(path, headers=bearer(key_of["coder"])).status_code == 403
            assert client.get(path, headers=bearer(key_of["admin"])).status_code == 200


def test_the_desk_leads_to_what_is_to_be_settled(client, annotate):
    assert "Nobody has annotated yet" in client.get("/coding/desk").text
    annotate("ann", 1, {"foreign_hand": "reported"}, unsure=True)
    annotate("ben & co", 1, {})
    page = client.get("/coding/desk").text
    assert "paragraph waits for an adjudicator" in page
    assert "/coding/disagreements?frame=foreign_hand&amp;reason=presence" in page
    assert "/coding/disagreements?coder=ben%20%26%20co" in page
    assert 'aria-label="1 paragraph: Foreign hand, some see a frame, others do not"' in page
    annotate("prof", 1, {}, role="adjudicator")
    page = client.get("/coding/desk").text
    assert "Nothing waits for an adjudicator" in page
    assert "1 adjudication<" in page
    assert "1 of 1" in page


@pytest.mark.parametrize("address", ["frame=rain", "reason=weather", "settled=perhaps"])
def test_the_desk_refuses_filters_that_do_not_exist(client, address):
    assert client.get(f"/coding/disagreements?{address}").status_code == 422
