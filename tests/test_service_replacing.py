"""Ids and URLs that are sent again: the same article, another, a conflict, or a replacement with former versions."""

import pytest
from sqlalchemy import select

from service.store import daily
from service.store.tables import daily_frames
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import pointers
from tests.test_service_articles import rows, store

pytestmark = pytest.mark.databases

KEYS = (*daily.KEY, "articles", "paragraphs")


REUSED = [
    ({"external_id": "7", "outlet": "A"}, "/external_id"),
    ({"external_id": "7"}, "/external_id"),
    ({"url": "https://a.example/1"}, "/url"),
]


@pytest.mark.parametrize(("mark", "pointer"), REUSED)
def test_a_reused_id_with_another_text_is_a_conflict_and_nothing_is_lost(client, settings, mark, pointer):
    created = store(client, **mark)
    before = rows(settings)
    refused = store(client, number=2, **mark)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:framing:problem:conflict"
    assert pointers(refused.json()) == [pointer]
    assert created.json()["id"] in refused.json()["detail"]
    assert rows(settings) == before
    assert client.get(created.headers["location"]).json() == created.json()


def test_ids_are_unique_within_the_outlet_that_the_caller_names(client, settings):
    answers = [store(client, n, external_id="7", outlet=outlet) for n, outlet in enumerate(["A", "B", None])]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert rows(settings)["articles"] == 3
    assert store(client, 1, external_id="7", outlet="B").headers["location"] == answers[1].headers["location"]


@pytest.mark.parametrize("query", ["", "?replace=true"])
def test_the_same_text_under_another_id_of_the_outlet_is_an_article_of_its_own(client, settings, query):
    path, body = f"/v1/articles{query}", {"text": THREE_PARAGRAPHS, "outlet": "Herald", "explain": False}
    ids = ["wire-A", "wire-B", "wire-C"]
    first = [client.post(path, json={"external_id": own, **body}) for own in ids]
    again = [client.post(path, json={"external_id": own, **body}) for own in ids]
    assert [answer.status_code for answer in first + again] == [201] * 3 + [200] * 3
    assert [answer.json()["external_id"] for answer in first + again] == ids * 2
    assert [a.headers["location"] for a in again] == [a.headers["location"] for a in first]
    assert len({answer.headers["location"] for answer in first}) == rows(settings)["articles"] == 3
    assert client.get("/v1/articles?limit=9").json()["articles"][0]["external_id"] in ids
    assert client.post("/v1/articles", json=body).json()["external_id"] == "wire-A"


def test_articles_of_the_same_text_stay_apart_when_they_are_changed_or_deleted(client):
    body = {"text": THREE_PARAGRAPHS, "outlet": "Herald"}
    first, second = (client.post("/v1/articles", json={"external_id": own, **body}) for own in ("1", "2"))
    changed = {"external_id": "2", "outlet": "Herald", "text": "The market reopened on Monday."}
    for change in (changed, {"external_id": "2", **body, "title": "Again"}):
        replaced = client.post("/v1/articles?replace=true", json=change)
        assert (replaced.status_code, replaced.json()["id"]) == (200, second.json()["id"])
        assert client.get(first.headers["location"]).json() == first.json()
    client.delete(first.headers["location"])
    page = {"html": f"<p>{'</p><p>'.join(THREE_PARAGRAPHS.split(chr(10) * 2))}</p>", "outlet": "Herald"}
    again = client.post("/v1/articles", json={**page, "external_id": "2"})
    assert (again.status_code, again.json()["id"]) == (200, second.json()["id"])


@pytest.mark.parametrize("query", ["", "?replace=true"])
@pytest.mark.parametrize("number", [1, 2])
def test_the_url_of_an_article_with_another_id_is_a_conflict_that_names_it(client, settings, query, number):
    created = store(client, external_id="1", outlet="Herald", url="https://a.example/1")
    before = rows(settings)
    body = {"text": created.json()["text"] if number == 1 else "Another text.", "outlet": "Herald"}
    refused = client.post(f"/v1/articles{query}", json={**body, "external_id": "2", "url": "https://a.example/1"})
    assert refused.status_code == 409
    assert pointers(refused.json()) == ["/url"]
    assert f"{created.json()['id']}, which has another external_id than '2'" in refused.json()["detail"]
    assert rows(settings) == before
    assert client.get(created.headers["location"]).json() == created.json()


def test_an_article_without_an_id_gets_one_by_replacing(client):
    created = store(client, outlet="Herald")
    body = {"text": created.json()["text"], "outlet": "Herald", "external_id": "1"}
    assert client.post("/v1/articles", json=body).json() == created.json()
    replaced = client.post("/v1/articles?replace=true", json=body).json()
    assert (replaced["id"], replaced["external_id"]) == (created.json()["id"], "1")


def test_the_same_page_sent_again_is_the_same_article(client):
    page = {"html": f"<html><body><nav>Home</nav><p>{THREE_PARAGRAPHS}</p></body></html>", "external_id": "7"}
    first, again = (client.post("/v1/articles", json=page) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)


@pytest.mark.parametrize(("mark", "_pointer"), REUSED)
def test_replacing_scores_the_new_text_and_keeps_the_old_as_a_former_version(client, mark, _pointer):
    created = store(client, title="First", **mark)
    replaced = client.post("/v1/articles?replace=true", json={"text": "The road to the coast was cleared.", **mark})
    assert replaced.status_code == 200
    assert replaced.headers["location"] == created.headers["location"]
    answer = replaced.json()
    assert (answer["id"], answer["created_at"]) == (created.json()["id"], created.json()["created_at"])
    assert [paragraph["text"] for paragraph in answer["paragraphs"]] == ["The road to the coast was cleared."]
    assert client.get(created.headers["location"]).json() == answer
    [former] = client.get(f"{created.headers['location']}/versions").json()["versions"]
    assert (former["version"], former["title"], former["text"]) == (1, "First", created.json()["text"])
    assert [p["text"] for p in former["paragraphs"]] == [p["text"] for p in created.json()["paragraphs"]]
    again = client.post("/v1/articles?replace=true", json={"text": "The road to the coast was cleared.", **mark})
    assert again.json() == answer
    assert len(client.get(f"{created.headers['location']}/versions").json()["versions"]) == 1


def test_replacing_an_article_that_is_not_stored_stores_it(client):
    assert client.post("/v1/articles?replace=true", json={"text": THREE_PARAGRAPHS}).status_code == 201


def test_replacing_corrects_what_is_known_of_the_same_text(client):
    created = store(client, external_id="7", title="Frist")
    corrected = client.post("/v1/articles?replace=true", json={"text": created.json()["text"], "external_id": "7"})
    assert corrected.status_code == 200
    assert "title" not in corrected.json()
    assert client.get(created.headers["location"]).json() == corrected.json()


def test_replacing_never_takes_the_text_or_the_url_of_a_third_article(client, settings):
    store(client, 1, external_id="1", outlet="A")
    other = store(client, 2, outlet="A", url="https://a.example/2")
    before = rows(settings)
    for fields in ({"text": other.json()["text"]}, {"text": "A new text.", "url": "https://a.example/2"}):
        answer = client.post("/v1/articles?replace=true", json={"external_id": "1", "outlet": "A", **fields})
        assert answer.status_code == 409
        assert other.json()["id"] in answer.json()["detail"]
    assert rows(settings) == before


def annotate(client, article, paragraph, coder="mira", frames=None):
    body = {"coder": coder, "article_id": article, "paragraph": paragraph, "frames": frames or {}}
    answer = client.post("/v1/annotations", json=body)
    assert answer.status_code == 201, answer.text


def test_annotations_move_with_unchanged_paragraphs_and_the_others_stay_with_their_old_text(client):
    texts = ["The army moved in.", "The minister blamed a neighbour.", "The schools stayed shut.", "The army moved in."]
    article = client.post("/v1/articles", json={"paragraphs": texts, "external_id": "7"}).json()["id"]
    for index in range(4):
        annotate(client, article, index, frames={"foreign_hand": "reported"} if index == 1 else {})
        annotate(client, article, index, coder="jon")
    new = ["A new lead.", texts[3], texts[2], "The minister blamed nobody."]
    assert client.post("/v1/articles?replace=true", json={"paragraphs": new, "external_id": "7"}).status_code == 200
    listed = client.get("/v1/annotations?limit=100").json()["annotations"]
    assert len(listed) == 8
    assert {(a["coder"], a["article_id"], a["paragraph"], a["text"], len(a["frames"])) for a in listed} == {
        (coder, article, *place)
        for coder in ("mira", "jon")
        for place in [
            (1, None, 0),
            (2, None, 0),
            (-1, texts[1], 1 if coder == "mira" else 0),
            (-2, texts[3], 0),
        ]
    }
    annotate(client, article, 1)  # replaces the annotation that moved there
    assert len(client.get("/v1/annotations?limit=100").json()["annotations"]) == 8
    [disagreement] = client.get("/v1/agreement").json()["disagreements"]
    assert (disagreement["article_id"], disagreement["text"]) == (article, texts[1])
    body = {"coder": "ada", "role": "adjudicator", "article_id": article, "paragraph": -1, "frames": {}}
    assert client.post("/v1/annotations", json=body).json()["annotations"][0]["text"] == texts[1]
    assert client.get("/v1/agreement").json()["disagreements"][0]["settled_by"] == "ada"
    exported = client.get("/v1/annotations/export?format=doccano").content
    imported = client.post("/v1/annotations/import?format=doccano", content=exported)
    assert imported.json()["of_stored_articles"] == 9
    assert client.post("/v1/articles?replace=true", json={"paragraphs": texts, "external_id": "7"}).status_code == 200
    places = [a["paragraph"] for a in client.get("/v1/annotations?limit=100").json()["annotations"]]
    assert sorted(places) == [-2, -2, -1, -1, -1, 0, 0, 2, 2]


def test_draws_follow_their_paragraph_and_end_with_it(client):
    texts = ["The army moved in.", "The minister blamed a neighbour."]
    client.post("/v1/articles", json={"paragraphs": texts, "external_id": "7"})
    assert len(client.post("/v1/coding-queue", json={"coder": "mira"}).json()["tasks"]) == 2
    new = ["A new lead.", "Another one.", texts[0]]
    client.post("/v1/articles?replace=true", json={"paragraphs": new, "external_id": "7"})
    waiting = client.post("/v1/coding-queue", json={"coder": "mira"}).json()["tasks"]
    tasks = {task["paragraph"]: task["text"] for task in waiting}
    assert tasks[2] == texts[0]
    assert texts[1] not in tasks.values()


def test_a_replaced_article_counts_once_in_charts_and_leaves_its_story(client, database):
    first = store(client, external_id="7", outlet="A", published_at="2026-03-01")
    store(client, outlet="B", published_at="2026-03-01")
    moved = {"text": "The market reopened on Monday.", "external_id": "7", "outlet": "A", "published_at": "2026-04-01"}
    assert client.post("/v1/articles?replace=true", json=moved).json()["id"] == first.json()["id"]
    with database.write() as connection:
        before = connection.execute(select(daily_frames.c[*KEYS]).order_by(*KEYS)).all()
        daily.rebuild(connection)
        after = connection.execute(select(daily_frames.c[*KEYS]).order_by(*KEYS)).all()
    assert before == after
    assert {(row.outlet, bool(row.first_copy), row.articles) for row in after} == {("A", True, 1), ("B", True, 1)}


def test_deleting_an_article_deletes_its_former_versions_and_their_annotations(client, settings):
    created = store(client, external_id="7")
    annotate(client, created.json()["id"], 0)
    client.post("/v1/articles?replace=true", json={"text": "The market reopened on Monday.", "external_id": "7"})
    assert rows(settings)["former_versions"] == rows(settings)["annotations"] == 1
    assert client.delete(created.headers["location"]).is_success
    assert rows(settings)["former_versions"] == rows(settings)["annotations"] == 0
    assert client.get(f"{created.headers['location']}/versions").status_code == 404
