"""Files of annotations that strangers send: what is not an annotation is refused by a sentence, and nothing waits."""

import json
import random
import threading
from dataclasses import replace

import pytest
from sqlalchemy import event, func, inspect, select

from labels.errors import FramingError
from labels.exchange import FORMATS, ExchangedAnnotation, ExchangeError
from service.coding.exchange import import_annotations
from service.coding.staging import ArticlesChangedError, places_of, require_storable, storing
from service.store.annotations import NewAnnotation
from service.store.callers import COMMAND_LINE
from service.store.sql.connections import WRITES
from service.store.tables import annotations
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.import_load import import_under_load
from tests.support.length import full

_TEXT = "The army moved into the valley and the ministers were silent about it."
_NUMBER = 10**30
_HOSTILE = (
    *(5, -5, _NUMBER, 1e300, 0.5, True, None, "", " ", "\0", "x" * 5_000, "\ud800", "1" * 30),
    *([], [5], [[]], [{}], [None], ["\ud800"], {}, {"a": 5}, {"id": []}, {"\ud800": "\udfff"}),
)
_CHOICE = {"to_name": "text", "type": "choices"}
_SAMPLES = {
    "corpus": {
        "article": "a-1",
        "index": 0,
        "source": "Courier",
        "text": _TEXT,
        "annotations": [{"coder": "mira", "frames": {"foreign_hand": "reported"}, "covered": "foreign_hand"}],
        "adjudications": [{"coder": "tom", "frames": {}, "codebook_version": 1, "note": "settled"}],
    },
    "label-studio": {
        "data": {"text": _TEXT, "article_id": "a-1", "paragraph": 0, "source": "Courier"},
        "annotations": [
            {
                "completed_by": {"email": "mira"},
                "created_at": "2026-03-14T08:00:00Z",
                "meta": {"selection": "random", "inclusion_probability": 0.5, "role": "coder"},
                "result": [
                    {"from_name": "frames", **_CHOICE, "value": {"choices": ["foreign_hand"]}},
                    {"from_name": "stance_foreign_hand", **_CHOICE, "value": {"choices": ["reported"]}},
                    {"from_name": "note", "to_name": "text", "type": "textarea", "value": {"text": ["unsure"]}},
                ],
            }
        ],
    },
    "doccano": {"text": _TEXT, "label": ["foreign_hand"], "username": "mira", "stances": {"foreign_hand": "reported"}},
    "prodigy": {
        "text": _TEXT,
        "accept": ["foreign_hand"],
        "answer": "accept",
        "_annotator_id": "mira",
        "meta": {"stances": {"foreign_hand": "reported"}, "source": "Courier"},
    },
    "argilla": {
        "fields": {"text": _TEXT},
        "responses": {"frames": [{"value": ["foreign_hand"], "user_id": "mira", "status": "submitted"}]},
        "metadata": {"source": "Courier"},
    },
    "potato": {
        "instance_id": "1",
        "user_id": "mira",
        "text": _TEXT,
        "labels": {"frames": {"foreign_hand": True}},
        "stances": {"foreign_hand": "reported"},
    },
}


def places_in(value, path=()):
    """The path of each value inside a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield from places_in(inner, (*path, name))


def with_value(value, path, new):
    """A JSON value with another value at a place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], new)
    return copy


def variants(name):
    sample = [_SAMPLES[name]]
    return [with_value(sample, path, new) for path in places_in(sample) for new in _HOSTILE]


def sent(client, name, content, **parameters):
    content = content if isinstance(content, bytes) else content.encode()
    return client.post("/v1/annotations/import", params={"format": name, **parameters}, content=content)


def stored(client):
    return client.get("/v1/annotations", params={"limit": 1000, "history": "true"}).json()["annotations"]


@pytest.mark.parametrize("name", _SAMPLES)
def test_no_value_at_any_place_of_a_file_makes_its_reader_fail_without_a_sentence(name, codebook):
    read = FORMATS[name].read
    assert read(json.dumps([_SAMPLES[name]]).encode(), codebook).annotations
    outcomes = {True: 0, False: 0}
    for variant in variants(name):
        try:
            require_storable(read(json.dumps(variant).encode(), codebook).annotations, codebook)
            outcomes[True] += 1
        except FramingError as error:
            str(error).encode()
            outcomes[False] += 1
    assert min(outcomes.values()) > 10


def test_what_an_import_stores_the_api_accepts_too_and_no_file_is_answered_with_500(client):
    for name, sample in _SAMPLES.items():
        chance = random.Random(name)
        for variant in (*chance.sample(variants(name), full(200, short=20)), [sample]):
            answer = sent(client, name, json.dumps(variant))
            assert answer.status_code in (201, 422), answer.text
            assert answer.status_code == 201 or answer.json()["errors"][0]["detail"]
    imported = stored(client)
    assert imported
    fields = ("coder", "role", "text", "source", "frames", "covered", "note")
    for annotation in imported:
        again = client.post("/v1/annotations", json={field: annotation[field] for field in fields})
        assert again.status_code == 201, again.text


def line(**changes):
    return json.dumps({**_SAMPLES["doccano"], **changes})


def cells(**changes):
    row = {"coder": "mira", "text": _TEXT, "source": "Courier", "frame": "foreign_hand", "stance": "reported"} | changes
    return f"{','.join(row)}\n{','.join(row.values())}\n"


_REFUSED = {
    "a coder with NUL": ("doccano", line(username="mi\0ra"), "coder"),
    "a blank coder": ("csv-long", cells(coder=" \u2003"), "coder"),
    "a coder of 5,000 characters": ("csv-long", cells(coder="m" * 5000), "coder"),
    "a text of 2 MB": ("doccano", line(text="word " * 400_000), "text"),
    "a blank source": ("doccano", line(source=" "), "source"),
    "a long source": ("csv-long", cells(source="s" * 257), "source"),
    "a long note": ("doccano", line(note="n" * 10_001), "note"),
    "a negative paragraph": ("csv-long", cells(article_id="a-1", paragraph="-5"), "paragraph"),
    "a negative paragraph of no article": ("doccano", line(paragraph=-5), "paragraph"),
    "a paragraph of 30 digits": ("doccano", line(article_id="a-1", paragraph=_NUMBER), "paragraph"),
    "a version of 30 digits": ("csv-long", cells(codebook_version="1" * 30), "codebook_version"),
    "a version that is still to come": ("csv-long", cells(codebook_version="99"), "codebook_version"),
    "a probability of almost nothing": ("doccano", line(inclusion_probability=1e-320), "inclusion_probability"),
    "a name twice": ("doccano", line()[:-1] + ', "text": "Another text."}', "text"),
    "a name twice further inside": ("doccano", '{"text": "A.", "label": [], "stances": {"a": 1, "a": 2}}', "'a'"),
    "a column twice": ("csv-long", f"coder,text,frame,text\nmira,{_TEXT},foreign_hand,Another text.\n", "text"),
    "100,000 brackets": ("label-studio", "[" * 100_000, "nested"),
    "100,000 brackets in a line": ("doccano", "[" * 100_000, "nested"),
    "many objects in each other": ("doccano", '{"a":' * 40 + "1" + "}" * 40, "nested"),
    "a result that is a number": (
        "label-studio",
        json.dumps([{"data": {"text": _TEXT}, "annotations": [{"result": 5}]}]),
        "result",
    ),
    "responses that are a number": (
        "argilla",
        json.dumps([{"fields": {"text": _TEXT}, "responses": {"frames": 5}}]),
        "frames",
    ),
    "half of a character in a text": ("doccano", line(text="half \ud800"), "half of a character"),
    "half of a character in a label": ("doccano", line(label=["\udfff"]), "half of a character"),
    "half of a character in a name": ("doccano", line(**{"\udabc": 1}), "half of a character"),
    "half of a character in the notation of Python": (
        "doccano",
        f"text,label,username,stances\n{_TEXT},foreign_hand,mira,{{'foreign_hand': '\\ud800'}}\n",
        "half of a character",
    ),
    "a list as a name in the notation of Python": (
        "doccano",
        f'text,label,username,stances\n{_TEXT},foreign_hand,mira,"{{[]: 1}}"\n',
        "'stances' must be an object",
    ),
    "a note that is a number": (
        "label-studio",
        json.dumps(with_value([_SAMPLES["label-studio"]], (0, "annotations", 0, "result", 2, "value", "text"), 5)),
        "text area",
    ),
    "a frame that is not covered": ("doccano", line(covered="grievance_driven"), "covered"),
    "covered frames that the codebook does not have": ("doccano", line(covered="foreign_hand rain"), "rain"),
}


def test_a_file_that_says_what_no_request_may_say_is_refused_by_naming_it(client):
    unnamed = {}
    for fault, (name, content, named) in _REFUSED.items():
        answer = sent(client, name, content)
        details = [error["detail"] for error in answer.json().get("errors", ())]
        if answer.status_code != 422 or not any(named in detail for detail in details):
            unnamed[fault] = (answer.status_code, details[:3])
    assert unnamed == {}
    assert stored(client) == []


def test_a_name_that_the_caller_gives_to_a_coder_is_checked_too(client):
    for coder in ("mi\0ra", "  "):
        answer = sent(client, "doccano", line(username=""), coder=coder)
        assert answer.status_code == 422
        assert any("coder" in error["pointer"] + error["detail"] for error in answer.json()["errors"])
    for name in ("m" * 129, "to\0m"):
        answer = sent(client, "doccano", line(), coder_map=f"mira={name}")
        assert answer.status_code == 422
        assert any("coder" in error["pointer"] + error["detail"] for error in answer.json()["errors"])


def test_every_bad_row_is_named_and_what_it_holds_is_shown_in_short(client):
    content = "\n".join([line(), line(username="m" * 129), line(label=["x" * 200_000]), line(paragraph=-1)])
    answer = sent(client, "doccano", content)
    details = " ".join(error["detail"] for error in answer.json()["errors"])
    assert answer.status_code == 422
    assert len(answer.content) < 50_000
    assert "line 2: its coder" in details
    assert "line 4: 'paragraph'" in details


def test_an_annotation_about_no_frame_of_the_codebook_is_set_aside(client):
    rows = [line(label=[], stances={}, covered="rain"), line(text="Another text of a paragraph.")]
    answer = sent(client, "doccano", "\n".join(rows), ignore="rain")
    assert (answer.status_code, answer.json()["annotations"], answer.json()["set_aside"]) == (201, 1, 1)


@pytest.mark.databases
def test_a_file_is_read_and_checked_while_another_writes(client, database):
    content = "\n".join(line(text=f"{_TEXT} It was day {day}.") for day in range(20))
    with database.write():
        assert sent(client, "doccano", content, dry_run=True).json()["annotations"] == 20
        assert sent(client, "doccano", f"{content}\n{line(paragraph=-5)}").status_code == 422
        importing = threading.Thread(target=sent, args=(client, "doccano", content))
        importing.start()
    importing.join()
    assert len(stored(client)) == 20


def read_annotations(count, codebook):
    content = "\n".join(line(text=f"{_TEXT} It was day {day}.") for day in range(count))
    return FORMATS["doccano"].read(content.encode(), codebook).annotations


@pytest.mark.databases
def test_an_import_runs_as_few_statements_under_the_lock_whatever_its_size(database, codebook):
    writing, statements = [], []

    @event.listens_for(database.engine, "begin")
    def begin(connection):
        writing.append(bool(connection.get_execution_options().get(WRITES)))

    @event.listens_for(database.engine, "commit")
    def commit(_connection):
        writing.append(False)

    @event.listens_for(database.engine, "before_cursor_execute")
    def execute(_connection, _cursor, statement, *_rest):
        if writing and writing[-1]:
            statements.append(statement)

    counts = []
    for count in (2, 400):
        content = "\n".join(line(text=f"{_TEXT} It was day {day}.") for day in range(count))
        statements.clear()
        import_annotations(database, codebook, "doccano", content.encode(), caller=COMMAND_LINE)
        counts.append(len(statements))
    assert counts[0] == counts[1] < 16


def new_annotations(database, codebook, read):
    with database.read() as connection:
        places = places_of(connection, read)
    return [
        (NewAnnotation(a.coder, a.role, place.unit, a.frames, a.note, codebook.version), place)
        for a, place in zip(read, places, strict=True)
    ]


def count_of(database):
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(annotations))


@pytest.mark.databases
def test_all_annotations_of_a_file_come_into_sight_at_the_same_moment(database, codebook):
    new = new_annotations(database, codebook, read_annotations(30, codebook))
    with storing(database, new):
        assert count_of(database) == 0
    assert count_of(database) == 30


@pytest.mark.databases
def test_an_import_that_fails_at_the_end_stores_nothing_and_leaves_no_table(database, codebook):
    before = inspect(database.engine).get_table_names()
    new = new_annotations(database, codebook, read_annotations(3, codebook))
    with pytest.raises(RuntimeError), storing(database, new):
        raise RuntimeError("the end")
    assert count_of(database) == 0
    with storing(database, new):
        pass
    assert count_of(database) == 3
    assert inspect(database.engine).get_table_names() == before
    assert not any("staged" in table for table in before)


@pytest.mark.databases
@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_paragraphs_that_change_while_a_file_is_read_are_looked_up_again(change, client, database, codebook):
    body = {"text": THREE_PARAGRAPHS, "external_id": "e", "outlet": "Courier"}
    article = client.post("/v1/articles", json=body).json()
    paragraph = article["paragraphs"][1]
    read = [ExchangedAnnotation("mira", paragraph["text"], "Courier", {}, article_id=article["id"], paragraph=1)]
    new = new_annotations(database, codebook, read)
    assert new[0][1].unit.article_id == article["id"]
    if change == "deleted":
        client.delete(f"/v1/articles/{article['id']}")
    else:
        text = f"A paragraph that came later, about the harbour and its ships.\n\n{THREE_PARAGRAPHS}"
        client.post("/v1/articles", json={**body, "text": text}, params={"replace": "true"})
    with pytest.raises(ArticlesChangedError), storing(database, new):
        pass
    assert count_of(database) == 0
    import_annotations(database, codebook, "doccano", FORMATS["doccano"].write(read, codebook), caller=COMMAND_LINE)
    [annotation] = stored(client)
    assert (annotation["text"], annotation["article_id"]) == (paragraph["text"], None)


@pytest.mark.databases
def test_a_file_keeps_its_order_and_replaces_what_its_coders_said_before(client):
    rows = [line(text=f"{_TEXT} It was day {day}.") for day in range(12)]
    sent(client, "doccano", "\n".join(rows))
    sent(client, "doccano", "\n".join(line(text=f"{_TEXT} It was day {day}.", label=[], stances={}) for day in (3, 4)))
    in_force = client.get("/v1/annotations").json()["annotations"]
    days = [int(annotation["text"].removesuffix(".").rpartition(" ")[2]) for annotation in in_force]
    assert days == [4, 3, 11, 10, 9, 8, 7, 6, 5, 2, 1, 0]
    assert [annotation["frames"] for annotation in in_force[:3]] == [{}, {}, {"foreign_hand": "reported"}]
    assert len(stored(client)) == 14


@pytest.mark.parametrize("name", FORMATS)
def test_annotations_of_a_former_version_come_back_to_it(name, client):
    body = {"text": THREE_PARAGRAPHS, "external_id": "e", "outlet": "Courier"}
    article = client.post("/v1/articles", json=body).json()
    annotation = {"coder": "mira", "article_id": article["id"], "paragraph": 1, "frames": {"foreign_hand": "reported"}}
    client.post("/v1/annotations", json=annotation)
    other = "The harbour was quiet that week, and the ships stayed where they were for days."
    client.post("/v1/articles", json={**body, "text": other}, params={"replace": "true"})
    [before] = client.get("/v1/annotations").json()["annotations"]
    assert before["paragraph"] == -1
    exported = client.get("/v1/annotations/export", params={"format": name}).content
    assert sent(client, name, exported).status_code == 201
    [after] = client.get("/v1/annotations").json()["annotations"]
    assert (after["article_id"], after["paragraph"]) == (article["id"], -1)


def test_a_paragraph_of_a_former_version_that_there_never_was_is_refused(client):
    article = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS}).json()["id"]
    answer = sent(client, "csv-long", cells(article_id=article, paragraph="-5"))
    assert answer.status_code == 422
    assert f"row 2: the article {article} has no paragraph -5" in answer.json()["errors"][0]["detail"]


def test_the_check_of_files_and_that_of_requests_refuse_the_same(client, codebook):
    annotation = ExchangedAnnotation("mira", _TEXT, "Courier", {"foreign_hand": "reported"}, where="line 1")
    require_storable([annotation], codebook)
    for name in ("coder", "text", "source", "note"):
        for value in ("\0", "x" * 100_001, *(() if name == "note" else (" ", "\u2003"))):
            body = {"coder": "mira", "text": _TEXT, "source": "Courier", "frames": {}, name: value}
            assert client.post("/v1/annotations", json=body).status_code == 422
            with pytest.raises(ExchangeError, match=f"line 1: '{name}'"):
                require_storable([replace(annotation, **{name: value})], codebook)


def test_others_store_and_read_while_a_file_is_imported(models_folder):
    count = full(100_000, short=2_000)
    figures = import_under_load(models_folder.parent, count)
    assert figures["annotations imported"] == 2 * count
    assert figures["articles stored meanwhile"] > 0
    assert figures["failed"] == 0
