import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from service.app import create_app
from service.store.sql.database import Database
from service.store.tables import metadata
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import pointers

pytestmark = pytest.mark.databases


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
    # PostgreSQL keeps the bytes until the worker rewrites its tables.
    erased = not settings.database_url
    assert client.delete(location).status_code == (204 if erased else 202)
    assert client.get(location).status_code == 404
    assert client.delete(location).status_code == (404 if erased else 202)
    left = rows(settings)
    assert (left.pop("champion"), left.pop("access")) == (1, 1)
    assert (left.pop("audit"), left.pop("audit_head"), left.pop("removals")) == (2, 1, 1)
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
