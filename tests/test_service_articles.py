import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from service.app import create_app
from service.store import daily
from service.store.sql.database import Database
from service.store.tables import daily_frames, metadata
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import pointers

pytestmark = pytest.mark.databases

KEYS = (*daily.KEY, "articles", "paragraphs")


def store(client, number=1, headers=None, **fields):
    body = {"text": f"{THREE_PARAGRAPHS}\n\nIt was report number {number}, the mayor added.", **fields}
    return client.post("/v1/articles", json=body, headers=headers or {})


def rows(settings):
    database = Database(settings.store_url)
    with database.read() as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables
        }
    database.close()
    return counts


def test_an_article_is_stored_with_its_framing_and_can_be_read_again(client):
    created = store(
        client,
        title="After the train",
        outlet="Courier",
        author="Ilara Venn",
        url="https://courier.example/1",
        external_id="c-1",
        published_at="2026-03-14T08:00:00+05:00",
    )
    assert created.status_code == 201
    answer = created.json()
    assert created.headers["location"] == f"/v1/articles/{answer['id']}"
    assert answer["published_at"] == "2026-03-14T03:00:00Z"
    assert client.get(created.headers["location"]).json() == answer


def test_evidence_of_a_stored_article_can_be_left_out(client):
    location = store(client).headers["location"]
    assert "evidence" not in client.get(location, params={"explain": "false"}).text


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"external_id": "x"}, {"external_id": "x", "title": "Other title"}),
        ({"url": "https://a.example/1"}, {"url": "https://a.example/1", "outlet": "A"}),
        ({}, {}),
        ({"outlet": "A"}, {"outlet": "A", "title": "Other title", "url": "https://a.example/2"}),
    ],
)
def test_the_same_article_again_answers_200_with_the_stored_article_and_stores_nothing(client, settings, first, again):
    created = store(client, **first)
    before = rows(settings)
    repeated = store(client, **again)
    assert (created.status_code, repeated.status_code) == (201, 200)
    assert repeated.headers["location"] == created.headers["location"]
    assert repeated.json() == created.json()
    assert rows(settings) == before


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
    assert len(client.get("/v1/coding-queue?coder=mira").json()["tasks"]) == 2
    new = ["A new lead.", "Another one.", texts[0]]
    client.post("/v1/articles?replace=true", json={"paragraphs": new, "external_id": "7"})
    tasks = {task["paragraph"]: task["text"] for task in client.get("/v1/coding-queue?coder=mira").json()["tasks"]}
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
    assert client.delete(created.headers["location"]).status_code == 204
    assert rows(settings)["former_versions"] == rows(settings)["annotations"] == 0
    assert client.get(f"{created.headers['location']}/versions").status_code == 404


def test_the_same_text_in_two_outlets_is_two_articles(client):
    assert [store(client, outlet=outlet).status_code for outlet in ("A", "B")] == [201, 201]


def test_a_request_repeated_under_its_idempotency_key_is_executed_once_and_gets_the_same_answer(client, settings):
    key = {"Idempotency-Key": "k-1"}
    first, second = store(client, headers=key), store(client, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert rows(settings)["articles"] == 1
    other = store(client, number=2, headers=key)
    assert other.status_code == 409
    assert "used for another request" in other.json()["detail"]
    assert rows(settings)["articles"] == 1


def test_an_idempotency_key_is_forgotten_with_its_article(client):
    key = {"Idempotency-Key": "k-1"}
    location = store(client, headers=key).headers["location"]
    client.delete(location)
    again = store(client, headers=key)
    assert again.status_code == 201
    assert again.headers["location"] != location


def test_the_same_article_sent_many_times_at_once_is_stored_once(client, settings):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store(client, external_id="x"), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert rows(settings)["articles"] == 1


def test_deleting_removes_an_article_everywhere(client, settings):
    location = store(client, headers={"Idempotency-Key": "k"}).headers["location"]
    assert client.delete(location).status_code == 204
    assert client.get(location).status_code == client.delete(location).status_code == 404
    left = rows(settings)
    assert left.pop("champion") == 1
    assert (left.pop("audit"), left.pop("audit_head")) == (2, 1)
    assert set(left.values()) == {0}


@pytest.mark.databases("sqlite")
def test_nothing_of_a_deleted_text_is_left_in_the_database_file(client, settings):
    word = "quetzalcoatlus"
    location = store(client, text=f"The army accused the {word} of arming gunmen.").headers["location"]
    client.delete(location)
    database = Database(settings.store_url)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    for file in settings.data_dir.glob("framing.sqlite3*"):
        assert word.encode() not in file.read_bytes()


@pytest.mark.parametrize("bad", ["0" * 31, "x", "../../etc/passwd", "%2e%2e", "'; DROP TABLE articles; --"])
def test_a_malformed_id_is_refused(client, bad):
    assert client.get(f"/v1/articles/{bad}").status_code in (404, 422)


@pytest.fixture
def filled(client):
    """Ten articles on ten days, alternately of two outlets; odd ones point to a foreign hand."""
    for number in range(10):
        accusation = "Officials accused the neighbouring state of arming and training the gunmen."
        calm = "The market reopened on Monday and the road to the coast was cleared of snow by noon."
        store(
            client,
            text=f"{accusation if number % 2 else calm} It was report {number}, added the 100% sure_mayor.",
            title=f"Report {number}",
            outlet=["Courier", "Herald"][number % 2],
            published_at=f"2026-03-{number + 10}T12:00:00Z",
        )
    return client


def titles(client, **parameters):
    response = client.get("/v1/articles", params=parameters)
    assert response.status_code == 200, response.text
    return [int(article["title"].split()[1]) for article in response.json()["articles"]]


def test_articles_are_listed_newest_first_page_by_page(filled):
    seen, cursor = [], None
    while True:
        page = filled.get("/v1/articles", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [article["title"] for article in page["articles"]]
        cursor = page.get("next")
        if cursor is None:
            break
    assert seen == [f"Report {number}" for number in range(9, -1, -1)]


def test_a_page_is_not_shifted_by_articles_that_arrive_meanwhile(filled):
    page = filled.get("/v1/articles", params={"limit": 5}).json()
    store(filled, title="Report 99", published_at="2027-01-01")
    following = filled.get("/v1/articles", params={"limit": 5, "cursor": page["next"]}).json()
    assert [article["title"] for article in following["articles"]] == [
        f"Report {number}" for number in range(4, -1, -1)
    ]


def test_lists_are_filtered(filled):
    assert titles(filled, outlet="Herald") == [9, 7, 5, 3, 1]
    assert titles(filled, **{"from": "2026-03-17"}) == [9, 8, 7]
    assert titles(filled, to="2026-03-11") == [1, 0]
    assert titles(filled, to="2026-03-11T12:00:00Z") == [0]
    assert titles(filled, frame="foreign_hand") == [9, 7, 5, 3, 1]
    assert titles(filled, frame="foreign_hand", decision="absent") == [8, 6, 4, 2, 0]
    assert titles(filled, decision="present") == [9, 7, 5, 3, 1]
    assert titles(filled, q="ACCUSED report") == [9, 7, 5, 3, 1]
    assert titles(filled, q="100%", outlet="Courier") == [8, 6, 4, 2, 0]
    assert titles(filled, q="sure_m") == list(range(9, -1, -1))
    assert titles(filled, q="sureXm") == titles(filled, q="%ure") == titles(filled, outlet="nobody") == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"frame": "weather"}, "query/frame"),
        ({"decision": "maybe"}, "query/decision"),
        ({"cursor": "x"}, "query/cursor"),
        ({"limit": "0"}, "query/limit"),
        ({"limit": "201"}, "query/limit"),
        ({"from": "yesterday"}, "query/from"),
        ({"to": "12345"}, "query/to"),
    ],
)
def test_a_bad_filter_is_named(client, parameters, named):
    response = client.get("/v1/articles", params=parameters)
    assert response.status_code == 422
    assert pointers(response.json())[0].startswith(named)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59Z"])
def test_dates_at_the_ends_of_time_are_accepted(client, day):
    assert client.get("/v1/articles", params={"from": day, "to": day}).status_code == 200
    assert store(client, published_at=day).status_code == 201
    assert client.get("/v1/articles", params={"limit": 1}).status_code == 200


def test_a_moment_outside_of_time_is_refused(client):
    response = store(client, published_at="0001-01-01T00:00:00+14:00")
    assert pointers(response.json()) == ["/published_at"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("published_at", "yesterday"),
        ("published_at", 1700000000),
        ("url", "javascript:alert(1)"),
        ("url", "https://a.example/\n"),
        ("outlet", " "),
        ("external_id", "x" * 513),
        ("id", "0" * 32),
        ("created_at", "2026-01-01"),
    ],
)
def test_bad_metadata_is_named_and_nothing_is_stored(client, settings, field, value):
    response = store(client, **{field: value})
    assert response.status_code == 422
    assert pointers(response.json()) == [f"/{field}"]
    assert rows(settings)["articles"] == 0


def test_a_database_made_by_the_service_opens_again_with_its_articles(settings):
    with TestClient(create_app(settings)) as client:
        location = store(client).headers["location"]
    with TestClient(create_app(settings)) as client:
        assert client.get(location).status_code == 200


def test_answers_are_plain_json_with_its_content_type(client):
    response = store(client)
    assert response.headers["content-type"] == "application/json"
    json.loads(response.text)
