"""Malicious input: texts that take disproportionate time, damaged files, SQL, path traversal and pickles."""

import json
import random
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labels.errors import ArticleError, FramingError
from labels.exchange import FORMATS, ExchangedAnnotation
from labels.normalise import normalise_with_offsets
from labels.paragraphs import split_html, split_text
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.doubling import assert_time_doubles

PIECES = (
    "a", "a ", "A ", "İ", "\u0301", "\u200b", "\u202e", "ﷺ", ". ", "\n", "\r\n", " \n", "By A ", "by by ", "Photo: ",
    "share this ", "(", "1 ", "12:", "Jan 1 ", "a-", "...", "#", "- ", "“", "@a", "a@a.", "©", "Read more: ", "\t",
)  # fmt: skip
MARKUP = (
    "<a", "<a ", "<!--", "</", "<script", "<![CDATA[", "<p>a", "<div>", "<b><i>", "&amp;", "&", "<p a=", "<p a='",
    "</p>", "<table><tr><td>", "<p>a</p>\n", "<style>", "<svg>", "<li>a", "<LI>a<ul>", "<span>a</span>", "<br>",
)  # fmt: skip


def assert_time_is_proportional(function, piece, size):
    assert_time_doubles(function, *((piece * (length // len(piece) + 1))[:length] for length in (size, 2 * size)))


@pytest.mark.parametrize("piece", PIECES)
def test_the_time_to_cut_and_score_a_text_is_proportional_to_its_length(piece, registry):
    assert_time_is_proportional(split_text, piece, 60_000)
    assert_time_is_proportional(normalise_with_offsets, piece, 60_000)
    model = registry.load("v1")
    assert_time_is_proportional(lambda text: model.score_and_explain([text]), piece, 60_000)


@pytest.mark.parametrize("piece", MARKUP)
def test_the_time_to_extract_a_page_is_proportional_to_its_length(piece):
    assert_time_is_proportional(split_html, piece, 30_000)


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_a_page_of_a_hundred_thousand_levels_is_read_or_rejected_quickly(depth):
    start = time.process_time()
    for tag in ("div", "b", "table", "ul"):
        with suppress(ArticleError):
            split_html(f"<{tag}>" * depth + THREE_PARAGRAPHS)
    assert time.process_time() - start < 8


_PAGE = (
    "<!doctype html><html><head><title>After the train</title><meta charset=utf-8></head><body><nav><ul><li><a href=/>"
    "Home</a></ul></nav><article><h1>After the train</h1><p class='by'>By Ilara Venn</p><p>The army &amp; police moved "
    "into the valley.</p><figure><img src=a.jpg><figcaption>A view</figcaption></figure><table><tr><td>1</table>"
    "<p>Ministers were silent.</p></article><script>var a='<p>'</script><!-- end --></body></html>"
)


def test_no_page_makes_the_extraction_fail_without_a_proper_message():
    chance = random.Random(5)
    for _ in range(250):
        page = _PAGE
        for _ in range(chance.randrange(1, 8)):
            position = chance.randrange(len(page) + 1)
            inserted = chance.choice(
                (*MARKUP, *PIECES, "\0", "\x0b", "&#0;", "&#xD800;", page[: chance.randrange(200)])
            )
            page = page[:position] + inserted + page[position + chance.randrange(12) :]
        with suppress(ArticleError):
            article = split_html(page)
            assert all(article.text[p.start : p.end] == p.text for p in article.paragraphs)


_MALFORMED = (b'"', b"[" * 50, b"null", b"{}", b"\0", b"\xff", b"-1e999", b"\n")
_SAMPLES = {
    "corpus": b'{"article": "x", "index": 0, "source": "s", "text": "a", "annotations": [{"coder": "", "frames": {}}]}',
    "label-studio": b'[{"id": 1, "data": {"text": "a", "article": "x", "paragraph": 0}, "annotations": []}]',
    "doccano": b'{"text": "a", "label": ["foreign_hand"]}\n',
    "prodigy": b'{"text": "a", "accept": ["foreign_hand"], "answer": "accept"}\n',
    "argilla": b'[{"fields": {"text": "a"}, "responses": {}}]',
    "potato": b'{"instance_id": "1", "user": "m", "text": "a", "labels": {"frames": {"foreign_hand": true}}}',
    "csv-long": b"coder,text,source,frame,stance\nm,a,s,foreign_hand,reported\n",
    "csv-wide": b"coder,text,source,foreign_hand\nm,a,s,reported\n",
    "refi-qda": b"PK\x03\x04 not an archive",
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_file_makes_an_importer_fail_without_a_proper_message(name, codebook):
    chance = random.Random(name)
    read = FORMATS[name].read
    for _ in range(400):
        content = bytearray(_SAMPLES[name])
        for _ in range(chance.randrange(1, 6)):
            position = chance.randrange(len(content) + 1)
            damage = chance.randrange(4)
            if damage == 0:
                content[position:position] = chance.randbytes(chance.randrange(1, 9))
            elif damage == 1:
                del content[position : position + chance.randrange(1, 9)]
            elif damage == 2:
                content[position:position] = content[: chance.randrange(len(content) + 1)]
            else:
                content[position:position] = chance.choice(_MALFORMED)
        try:
            read(bytes(content), codebook)
        except FramingError:
            continue


def test_a_damaged_archive_of_a_project_is_rejected_with_a_proper_message(codebook):
    archive, rejected = (
        FORMATS["refi-qda"].write([ExchangedAnnotation("ana", THREE_PARAGRAPHS, "radio", {})], codebook),
        0,
    )
    for position in range(0, len(archive), 3):
        damaged = bytearray(archive)
        damaged[position] ^= 0x5A
        try:
            FORMATS["refi-qda"].read(bytes(damaged), codebook)
        except FramingError:
            rejected += 1
    assert rejected > 100


def test_a_page_with_a_lone_surrogate_is_read():
    assert len(split_html(f"<p>{THREE_PARAGRAPHS}\udcff</p>").paragraphs) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.text(max_size=40) | st.from_regex(r"[0-9]{1,19}(-[0-9]{1,19})?", fullmatch=True))
def test_no_cursor_is_answered_with_500(client, cursor):
    for address in ("/v1/articles", "/v1/annotations", "/v1/training-runs", "/v1/audit", "/articles", "/audit"):
        assert client.get(address, params={"cursor": cursor}).status_code in (200, 422)


_SQL = ("'; DROP TABLE articles; --", "' OR '1'='1", "%' UNION SELECT text FROM articles --", '"', "\\", "%", "_")


def test_sql_in_a_filter_is_treated_as_text(client):
    identifier = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "outlet": "Ilara Post"}).json()["id"]
    for sql in _SQL:
        for address, name in (
            ("/v1/articles", "outlet"),
            ("/v1/articles", "q"),
            ("/v1/annotations", "coder"),
            ("/v1/annotations", "source"),
            ("/v1/prevalence", "outlet"),
            ("/v1/audit", "action"),
        ):
            answer = client.get(address, params={name: sql})
            assert answer.status_code in (200, 422), (address, name, sql, answer.text)
            if answer.status_code == 200 and address == "/v1/articles" and sql not in ("%", "_"):
                assert answer.json()["articles"] == []
    assert client.get(f"/v1/articles/{identifier}").status_code == 200


_TRAVERSAL = (
    "../v1", "..%2fv1", "%2e%2e%2fv1", "..\\v1", "%2e%2e", "v1/../../v1", "/etc/passwd", "file:///etc/passwd",
    "C:..\\x", "v1%00", "....//v1", "%252e%252e%252f", "v1%2f..%2f..%2fpromotions", "~root",
)  # fmt: skip


def test_no_name_leads_to_a_file_outside_its_folder(client):
    for name in _TRAVERSAL:
        for address in (
            "/v1/models/{}",
            "/v1/articles/{}",
            "/v1/training-runs/{}",
            "/static/{}",
            "/assets/charts/{}.json",
        ):
            answer = client.get(address.format(name))
            assert answer.status_code in (404, 405, 422), (address, name, answer.status_code)
            assert "root:" not in answer.text


def test_bodies_of_media_types_that_other_servers_unpickle_are_rejected(client, tmp_path):
    import pickle

    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "canary"), "w"))

    content = pickle.dumps(Canary())
    media_types = (
        "application/vnd.bentoml+pickle",
        "application/x-python-serialize",
        "application/octet-stream",
        "text/plain",
    )
    for media_type in media_types:
        for address in ("/v1/classify", "/v1/articles", "/v1/annotations", "/v1/models/rollback", "/v1/training-runs"):
            answer = client.post(address, content=content, headers={"Content-Type": media_type})
            assert 400 <= answer.status_code < 500, (address, media_type)
    assert not (tmp_path / "canary").exists()


def test_fields_that_callers_may_not_set_are_rejected(client):
    for more in ({"role": "admin"}, {"champion": True}, {"score": 1.0}, {"created_at": "2026-01-01"}, {"id": "0" * 32}):
        answer = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, **more})
        assert (answer.status_code, next(iter(more)) in answer.text) == (422, True)
    is_json = {"Content-Type": "application/json"}
    deep = "[" * 100_000 + "]" * 100_000
    assert client.post("/v1/classify", content=deep.encode(), headers=is_json).status_code == 400
    many = json.dumps({"text": "a", "thresholds": {f"f{n}": 0.5 for n in range(900)}})
    assert client.post("/v1/classify", content=many, headers=is_json).status_code == 422
