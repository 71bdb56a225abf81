"""Many articles in a request, as JSON Lines."""

import contextlib
import http.client
import json
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.http.json_lines import Line, read_lines
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.procfs import resident_memory
from tests.support.servers import running_server

pytestmark = pytest.mark.databases

CASES = Path(__file__).with_name("cases") / "files"


def send(client, path, *bodies):
    lines = "".join(f"{body if isinstance(body, str) else json.dumps(body)}\n" for body in bodies)
    response = client.post(path, content=lines.encode(), headers={"Content-Type": "application/x-ndjson"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def article(number, **fields):
    return {"text": f"{THREE_PARAGRAPHS}\n\nIt was report number {number}, the mayor added.", **fields}


@pytest.mark.databases("sqlite")
def test_each_line_is_answered_as_the_article_alone_would_be(client):
    bodies = [article(number, external_id=f"a{number}") for number in range(70)]
    answers = send(client, "/v1/classify:batch", *bodies)
    assert [(a["line"], a["external_id"], a["status"]) for a in answers] == [(n + 1, f"a{n}", 200) for n in range(70)]
    for body, answer in list(zip(bodies, answers, strict=True))[::30]:
        alone = {name: value for name, value in body.items() if name != "external_id"}
        assert answer["answer"] == client.post("/v1/classify", json=alone).json()


BAD = [
    ("{", 400, ""),
    ("5", 422, ""),
    ('{"text": ""}', 422, "/text"),
    ('{"text": 5}', 422, "/text"),
    ('{"text": "The army.", "colour": "red"}', 422, "/colour"),
    ('{"text": "The army.", "text": "The navy."}', 400, None),
    ('{"text": NaN}', 400, None),
    ("\xff".encode("latin-1"), 400, None),
]


@pytest.mark.parametrize("path", ["/v1/classify:batch", "/v1/articles:batch"])
@pytest.mark.databases("sqlite")
def test_a_line_at_fault_says_why_and_the_others_continue(client, path):
    lines = [
        json.dumps(article(0)).encode(),
        b"",
        *(bad if isinstance(bad, bytes) else bad.encode() for bad, *_ in BAD),
    ]
    response = client.post(path, content=b"\r\n".join([*lines, json.dumps(article(1)).encode()]))
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [a["line"] for a in answers] == [1, *range(3, len(BAD) + 4)]
    assert [a["status"] for a in answers] == [answers[0]["status"], *(s for _, s, _ in BAD), answers[0]["status"]]
    for answer, (_, _, pointer) in zip(answers[1:-1], BAD, strict=True):
        problem = answer["problem"]
        assert problem["type"].startswith("urn:framing:problem:")
        assert pointer is None or problem["errors"][0]["pointer"] == pointer


def test_an_answered_line_is_stored_and_is_recognised_when_sent_again(client):
    bodies = [article(number, external_id=f"a{number}", outlet="Courier") for number in range(40)]
    first = send(client, "/v1/articles:batch", *bodies[:25], article(3, outlet="Courier"))
    assert [a["status"] for a in first] == [201] * 25 + [200]
    assert first[-1]["id"] == first[3]["id"]
    again = send(client, "/v1/articles:batch", *bodies)
    assert [(a["status"], a["external_id"]) for a in again] == [
        (200 if number < 25 else 201, f"a{number}") for number in range(40)
    ]
    assert [a["id"] for a in again[:25]] == [a["id"] for a in first[:25]]
    for line in (first[7], again[30]):
        stored = client.get(f"/v1/articles/{line['id']}").json()
        assert stored == line["answer"]
    assert len(client.get("/v1/articles?limit=200").json()["articles"]) == 40


def test_a_reused_id_with_another_text_is_a_conflict_line_unless_it_replaces(client):
    path, first, other = "/v1/articles:batch", article(1, external_id="7"), article(2, external_id="7")
    answers = send(client, path, first, other, article(3, external_id="7", outlet="B"), first)
    assert [a["status"] for a in answers] == [201, 409, 201, 200]
    assert answers[1]["problem"]["type"] == "urn:framing:problem:conflict"
    assert answers[1]["external_id"] == "7"
    [later] = send(client, path, other)
    assert later["status"] == 409
    replaced = send(client, f"{path}?replace=true", other, other, article(4, external_id="8"))
    assert [(a["status"], a.get("replaced")) for a in replaced] == [(200, True), (200, None), (201, None)]
    assert replaced[0]["id"] == answers[0]["id"]
    assert client.get(f"/v1/articles/{answers[0]['id']}").json()["text"] == other["text"]


def test_lines_of_the_same_text_under_different_ids_are_different_articles(client):
    lines = [article(1, external_id=f"wire-{n}", outlet="Herald") for n in (1, 2, 1)]
    first = send(client, "/v1/articles:batch", *lines)
    again = send(client, "/v1/articles:batch?replace=true", *lines)
    assert [a["status"] for a in (*first, *again)] == [201, 201, 200, 200, 200, 200]
    assert [a["id"] for a in again] == [a["id"] for a in first]
    stored = [client.get(f"/v1/articles/{a['id']}").json()["external_id"] for a in first]
    assert stored == ["wire-1", "wire-2", "wire-1"]


def test_pages_that_all_give_the_address_of_the_front_page_are_articles_of_their_own(client):
    head = '<head><link rel="canonical" href="https://courier.example/"></head>'
    texts = [article(number)["text"].split("\n\n") for number in range(3)]
    bodies = [f"<body><article><p>{'</p><p>'.join(text)}</p></article></body>" for text in texts]
    lines = [
        {"html": f"<html>{head}{body}</html>", "external_id": own} for own, body in zip("123", bodies, strict=True)
    ]
    first = send(client, "/v1/articles:batch", *lines)
    again = send(client, "/v1/articles:batch", *lines)
    assert [answer["status"] for answer in first + again] == [201] * 3 + [200] * 3
    stored = [client.get(f"/v1/articles/{answer['id']}").json() for answer in first]
    assert [row["external_id"] for row in stored] == ["1", "2", "3"]
    assert [row.get("url") for row in stored] == ["https://courier.example/", None, None]
    assert stored == [answer["answer"] for answer in first]


def post_file(client, name):
    content = (CASES / name).read_bytes()
    return [json.loads(line) for line in client.post("/v1/articles:batch", content=content).text.splitlines()]


@pytest.mark.databases("sqlite")
def test_lines_as_programs_write_them_are_stored_or_refused_by_name(client):
    [marked] = post_file(client, "j01.bom.jsonl")
    [empty] = post_file(client, "j01.null_fields.jsonl")
    assert (marked["status"], empty["status"] in (200, 201)) == (201, True)
    first, second = post_file(client, "j01.dup_external_id.jsonl")
    assert (first["status"] in (200, 201, 409), second["status"]) == (True, 409)
    assert second["problem"]["type"] == "urn:framing:problem:conflict"
    for answer in post_file(client, "j01.array.jsonl"):
        assert answer["status"] == 422
        assert "JSON array" in answer["problem"]["detail"]
    [other] = post_file(client, "j01.cp1252.jsonl")
    assert (other["status"], "UTF-8" in other["problem"]["detail"]) == (400, True)


@pytest.mark.databases("sqlite")
def test_dates_that_crawlers_give_are_read_as_iso_or_refused_by_name(client):
    forms = json.loads((CASES / "d01.json").read_text(encoding="utf-8"))
    lines = [article(number, published_at=form) for number, form in enumerate(forms.values())]
    answers = dict(zip(forms, send(client, "/v1/articles:batch", *lines), strict=True))
    for name in ("naive", "offset", "offset no colon", "day", "space", "future"):
        assert answers[name]["status"] == 201, name
    assert answers["offset"]["answer"]["published_at"] == "2025-01-01T04:30:00Z"
    assert answers["naive"]["answer"]["published_at"] == "2024-12-31T23:30:00Z"
    for name in ("slash", "dmy", "us", "rfc822", "epoch", "epoch str", "year", "week", "compact", "pandas NaT", "leap"):
        assert answers[name]["status"] == 422, name
        assert answers[name]["problem"]["errors"][0]["pointer"] == "/published_at"


@pytest.mark.parametrize("path", ["/v1/classify:batch", "/v1/articles:batch"])
@pytest.mark.databases("sqlite")
def test_whatever_is_sent_every_line_gets_an_answer_and_none_is_the_services_fault(client, path):
    @hypothesis_settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.recursive(
                    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
                    lambda inner: (
                        st.lists(inner, max_size=3)
                        | st.dictionaries(
                            st.sampled_from(["text", "paragraphs", "thresholds", "url", "x"]), inner, max_size=4
                        )
                    ),
                ).map(lambda value: json.dumps(value).encode()),
            ),
            max_size=5,
        )
    )
    def answers_all(lines):
        body = b"\n".join(lines)
        answers = client.post(path, content=body).text.splitlines()
        assert len(answers) == sum(bool(line.strip()) for line in body.split(b"\n"))
        assert all(json.loads(answer)["status"] < 500 for answer in answers)

    answers_all()


@pytest.mark.databases("sqlite")
def test_a_line_that_is_too_long_is_refused_and_the_next_is_not(client):
    answers = send(client, "/v1/classify:batch", {"text": "x" * 9 * 2**20}, article(1))
    assert [a["status"] for a in answers] == [413, 200]


@pytest.mark.databases("sqlite")
def test_without_a_model_a_batch_is_refused_before_it_is_read(tmp_path):
    from starlette.testclient import TestClient

    from service.app import create_app
    from service.settings import Settings

    with TestClient(create_app(Settings(data_dir=tmp_path / "empty"))) as client:
        for path in ("/v1/classify:batch", "/v1/articles:batch"):
            assert client.post(path, content=b"{}\n").status_code == 503


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_are_the_same_however_the_bytes_arrive(size):
    content = b'{"a": 1}\n\n  \r\n{"b": "\xc3\xa9"}\nlonger than the limit of it\n{"c": 3}'

    async def chunks():
        for start in range(0, len(content), size):
            yield content[start : start + size]

    async def collect():
        return [line async for lines in read_lines(chunks(), 20) for line in lines]

    expected = [Line(1, b'{"a": 1}'), Line(4, b'{"b": "\xc3\xa9"}'), Line(5, None), Line(6, b'{"c": 3}')]
    assert anyio.run(collect) == expected


@pytest.mark.databases("sqlite")
def test_results_come_while_lines_are_still_sent_and_memory_stays_flat(settings):
    """A client that reads and writes in turn gets each answer before it sends the next line."""
    line = json.dumps({"paragraphs": ["The army moved into the valley." * 20] * 15, "explain": False}).encode() + b"\n"
    with running_server(settings.data_dir) as (client, process), contextlib.ExitStack() as closing:
        connection = closing.enter_context(
            contextlib.closing(http.client.HTTPConnection(client.base_url.host, client.base_url.port, timeout=30))
        )
        connection.putrequest("POST", "/v1/classify:batch")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()

        def put(content):
            connection.send(f"{len(content):x}\r\n".encode() + content + b"\r\n")

        put(line)
        response = closing.enter_context(connection.getresponse())
        assert json.loads(response.readline())["line"] == 1
        before = 0.0
        for number in range(2, 1502):
            put(line)
            assert json.loads(response.readline())["status"] == 200
            if number == 300:
                before = resident_memory(process)
        assert resident_memory(process) - before < 10
        connection.send(b"0\r\n\r\n")
        assert response.read() == b""
