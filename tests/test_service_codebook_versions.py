"""A service whose codebook changes: earlier annotations in answers, exports, agreement, training and shares."""

from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import select, update
from starlette.testclient import TestClient

from labels.codebook import codebook_to_toml, read_codebook
from service.app import create_app
from service.store.annotations import coded_paragraphs
from service.store.sql.database import Database, alembic_config
from service.store.tables import annotations
from tests.test_service_prevalence import code_all, fetch, store

NEW, OLD_NAME, NAME = "grievance_driven", "outside_hand", "foreign_hand"


@pytest.fixture
def versions(codebook, settings, tmp_path):
    """Settings with two versions of the codebook: the first lacks a frame, and calls another by another name."""
    early = [replace(f, key=OLD_NAME) if f.key == NAME else f for f in codebook.frames if f.key != NEW]
    late = [replace(f, formerly=(OLD_NAME,)) if f.key == NAME else f for f in codebook.frames]
    made = {}
    for version, frames in ((1, early), (2, late)):
        book = replace(codebook, version=version, frames=tuple(frames), cases=())
        path = tmp_path / f"version-{version}.toml"
        path.write_text(codebook_to_toml(book), encoding="utf-8")
        made[version] = settings.model_copy(update={"codebook": path})
    return made


def running(settings):
    return TestClient(create_app(settings), raise_server_exceptions=False)


def annotate(client, coder, text, frames, **more):
    body = {"coder": coder, "text": text, "source": "radio", "frames": frames, **more}
    answer = client.post("/v1/annotations", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["annotations"][0]


def test_an_old_annotation_says_nothing_of_a_new_frame_and_keeps_a_renamed_frame(versions):
    with running(versions[1]) as client:
        annotate(client, "mira", "The army moved in.", {OLD_NAME: "reported"})
    with running(versions[2]) as client:
        (old,) = client.get("/v1/annotations").json()["annotations"]
        new = annotate(client, "tom", "The army moved in.", {NEW: "advanced"})
    assert (old["frames"], old["covered"]) == (
        {NAME: "reported"},
        ["blame_on_leadership", NAME, "militarized_response"],
    )
    assert new["covered"] == ["blame_on_leadership", NAME, NEW, "militarized_response"]


def test_an_export_has_an_empty_cell_for_a_frame_that_came_later_and_is_imported_so(versions, tmp_path):
    with running(versions[1]) as client:
        annotate(client, "mira", "The army moved in.", {OLD_NAME: "reported"})
    with running(versions[2]) as client:
        exports = {
            name: client.get("/v1/annotations/export", params={"format": name}).content
            for name in ("csv-wide", "csv-long", "label-studio", "refi-qda", "doccano", "corpus")
        }
    head, row = (line.split(",") for line in exports["csv-wide"].decode().splitlines())
    cells = dict(zip(head, row, strict=True))
    assert [cells[key] for key in (NAME, NEW, "militarized_response", "codebook_version")] == ["1", "", "0", "1"]
    for name, data in exports.items():
        elsewhere = versions[2].model_copy(update={"database_url": f"sqlite:///{tmp_path}/{name}.sqlite3"})
        with running(elsewhere) as client:
            answer = client.post("/v1/annotations/import", params={"format": name}, content=data)
            assert answer.status_code == 201, answer.text
            (read,) = client.get("/v1/annotations").json()["annotations"]
            assert (read["frames"], NEW in read["covered"]) == ({NAME: "reported"}, False), name


def test_a_file_of_another_version_of_the_codebook_is_read_as_that_version_was(versions):
    row = "coder,text,source,frame,stance,codebook_version\r\nben,The army left.,radio,foreign_hand,present,1\r\n"
    with running(versions[1]) as client:
        annotate(client, "mira", "The army moved in.", {})
    with running(versions[2]) as client:
        answer = client.post("/v1/annotations/import", params={"format": "csv-long"}, content=row.encode())
        assert answer.status_code == 201, answer.text
        (read,) = client.get("/v1/annotations", params={"coder": "ben"}).json()["annotations"]
    assert (read["frames"], NEW in read["covered"]) == ({NAME: "present"}, False)


def test_agreement_on_a_new_frame_is_measured_on_those_who_knew_it(versions):
    text = "The army moved in."
    with running(versions[1]) as client:
        annotate(client, "mira", text, {})
        annotate(client, "ben", text, {OLD_NAME: "present"})
    with running(versions[2]) as client:
        annotate(client, "tom", text, {NEW: "present"})
        answer = client.get("/v1/agreement").json()
    assert {row["frame"]: row["paragraphs"] for row in answer["frames"]} == {
        "blame_on_leadership": 1,
        NAME: 1,
        NEW: 0,
        "militarized_response": 1,
    }
    pairs = {
        tuple(pair["coders"]): {row["frame"]: row["paragraphs"] for row in pair["frames"]} for pair in answer["pairs"]
    }
    assert (pairs["ben", "tom"][NEW], pairs["ben", "tom"][NAME]) == (0, 1)


def test_coders_who_differ_only_on_a_frame_that_either_did_not_know_do_not_disagree(versions):
    with running(versions[1]) as client:
        annotate(client, "mira", "The army moved in.", {OLD_NAME: "present"})
    with running(versions[2]) as client:
        annotate(client, "tom", "The army moved in.", {NAME: "present", NEW: "present"})
        assert client.get("/v1/agreement").json()["disagreements"] == []


def test_training_takes_a_new_frame_for_missing_where_it_was_not_coded(versions):
    text = "The army moved in."
    with running(versions[1]) as client:
        annotate(client, "mira", text, {OLD_NAME: "reported"})
        annotate(client, "ruth", text, {}, role="adjudicator")
    with running(versions[2]) as client:
        annotate(client, "ruth", text, {NEW: "present", NAME: "present"})
    database = Database(versions[2].store_url)
    try:
        with database.read() as connection:
            book = read_codebook(versions[2].codebook)
            (settled,) = coded_paragraphs(connection, book, adjudicated=True)
            (by_coders,) = coded_paragraphs(connection, book, adjudicated=False)
    finally:
        database.close()
    # The adjudication of the first version settles its frames; the coder of today decides the new frame.
    (only,) = [a for a in settled.annotations if a.decides(NAME)]
    assert (only.coder, only.frames) == ("ruth", {NEW: "present"})
    assert {a.coder: (dict(a.frames), a.decides(NEW)) for a in by_coders.annotations} == {
        "mira": ({NAME: "reported"}, False),
        "ruth": ({NEW: "present", NAME: "present"}, True),
    }


def store_and_code(client, paragraphs, name, without=None):
    """Stores articles of four paragraphs and annotates 80 of these as they are coded, with another name for a frame."""
    coded = []
    for p in paragraphs:
        frames = {name if k == NAME else k: s for k, s in p.annotations[0].frames.items() if k != without}
        coded.append(replace(p, annotations=(replace(p.annotations[0], frames=frames),)))
    for number in range(len(paragraphs) // 4):
        store(client, [p.text for p in paragraphs[number * 4 : number * 4 + 4]], day=number % 28)
    code_all(client, coded, 80)


def test_shares_are_corrected_by_annotations_that_decide_about_the_frame(versions, corpus):
    with running(versions[1]) as client:
        store_and_code(client, corpus[:160], OLD_NAME, without=NEW)
    with running(versions[2]) as client:
        by_frame = {row["frame"]: row for row in fetch(client, by="")["rows"]}
    assert by_frame[NEW]["annotations"] == 0
    assert by_frame[NEW]["corrected_share"] is None
    assert by_frame[NAME]["annotations"] == by_frame["militarized_response"]["annotations"] > 60
    carrying = sum(NAME in p.annotations[0].frames for p in corpus[:160]) / 160
    assert by_frame[NAME]["low"] < carrying < by_frame[NAME]["high"]


def test_a_model_with_the_former_name_of_a_frame_is_corrected_by_annotations_under_the_new_name(
    settings, codebook, corpus, tmp_path
):
    today = [replace(f, key="foreign_actor", formerly=(NAME,)) if f.key == NAME else f for f in codebook.frames]
    path = tmp_path / "today.toml"
    path.write_text(codebook_to_toml(replace(codebook, version=3, frames=tuple(today), cases=())), encoding="utf-8")
    with running(settings.model_copy(update={"codebook": path})) as client:
        store_and_code(client, corpus[:160], "foreign_actor")
        (row,) = [row for row in fetch(client, by="")["rows"] if row["frame"] == NAME]
    carrying = sum(NAME in p.annotations[0].frames for p in corpus[:160]) / 160
    assert row["annotations"] > 60
    assert row["low"] < carrying < row["high"]


def test_annotations_of_an_earlier_release_get_the_frames_of_their_version_before_another_comes(versions, registry):
    with running(versions[1]) as client:
        annotate(client, "mira", "The army moved in.", {})
    database = Database(versions[1].store_url)
    with database.write() as connection:
        connection.execute(update(annotations).values(covered=None))
    with running(versions[1]):
        pass
    with running(versions[2]) as client:
        (read,) = client.get("/v1/annotations").json()["annotations"]
    database.close()
    assert NEW not in read["covered"]


@pytest.mark.databases
def test_the_migration_takes_the_frames_of_a_version_from_a_model_that_was_trained_with_it(settings, codebook):
    with running(settings) as client:
        store(client, ["The army answered with helicopters and sealed the valley."])
        annotate(client, "mira", "The army moved in.", {NAME: "present"})
        annotate(client, "ben", "The army left.", {})
    database = Database(settings.store_url)
    try:
        with database.write() as connection:
            connection.execute(update(annotations).where(annotations.c.coder == "ben").values(codebook_version=1))
            command.downgrade(alembic_config(connection), "0007")
        database.migrate()
        with database.read() as connection:
            covered = dict(connection.execute(select(annotations.c.coder, annotations.c.covered)).all())
    finally:
        database.close()
    assert covered == {"mira": sorted(codebook.keys), "ben": None}


def coded_before(versions, paragraphs, without=NEW):
    """Stores articles and codes paragraphs of them that the queue drew, with the first version of the codebook."""
    with running(versions[1]) as client:
        store_and_code(client, paragraphs, OLD_NAME, without=without)
        return client.get("/v1/annotations?limit=1000").json()["annotations"]


def later_tasks(client, **more):
    answer = client.get("/v1/coding-queue", params={"coder": "mira", "later_frames": "true", "n": 200, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["tasks"]


def test_a_coder_gets_what_was_coded_before_a_frame_came_and_the_new_decision_replaces_only_that_frame(
    versions, corpus
):
    before = coded_before(versions, corpus[:40])
    drawn = {(row["article_id"], row["paragraph"]): row["inclusion_probability"] for row in before}
    with running(versions[2]) as client:
        tasks = later_tasks(client)
        assert {(t["article_id"], t["paragraph"]): t["inclusion_probability"] for t in tasks} == drawn
        assert {tuple(task["frames"]) for task in tasks} == {(NEW,)}
        assert later_tasks(client, n=5) == tasks[:5]
        for task in tasks:
            body = {"coder": "mira", "frames": {NEW: "reported"}, "covered": task["frames"]}
            body |= {name: task[name] for name in ("article_id", "paragraph")}
            assert client.post("/v1/annotations", json=body).status_code == 201
        assert later_tasks(client) == []
        after = client.get("/v1/annotations?limit=1000").json()["annotations"]
    decided = {(row["article_id"], row["paragraph"]): row for row in after}
    assert len(after) == len(before)
    for row in before:
        now = decided[row["article_id"], row["paragraph"]]
        renamed = {NAME if frame == OLD_NAME else frame: stance for frame, stance in row["frames"].items()}
        assert now["frames"] == {**renamed, NEW: "reported"}
        assert now["covered"] == sorted({*row["covered"], NAME, NEW} - {OLD_NAME})
        assert (now["selection"], now["inclusion_probability"]) == (row["selection"], row["inclusion_probability"])


def test_shares_of_a_frame_that_came_later_are_corrected_once_its_paragraphs_are_coded_again(versions, corpus):
    coded_before(versions, corpus[:160])
    carrying = {p.text for p in corpus[:160] if NEW in p.annotations[0].frames}
    with running(versions[2]) as client:
        for task in later_tasks(client):
            frames = {NEW: "present"} if task["text"] in carrying else {}
            body = {"coder": "mira", "frames": frames, "covered": task["frames"]}
            body |= {name: task[name] for name in ("article_id", "paragraph")}
            assert client.post("/v1/annotations", json=body).status_code == 201
        by_frame = {row["frame"]: row for row in fetch(client, by="")["rows"]}
    assert by_frame[NEW]["annotations"] == by_frame[NAME]["annotations"] > 60
    assert by_frame[NEW]["low"] < len(carrying) / 160 < by_frame[NEW]["high"]


def test_a_paragraph_that_a_coder_chose_is_coded_again_too_and_without_a_codebook_change_nothing_is(versions):
    with running(versions[1]) as client:
        article = store(client, ["The army answered with helicopters and sealed the valley."])
        body = {"coder": "mira", "article_id": article["id"], "paragraph": 0, "frames": {}, "note": "Short."}
        assert client.post("/v1/annotations", json=body).status_code == 201
        assert later_tasks(client) == []
    with running(versions[2]) as client:
        (task,) = later_tasks(client)
        answer = client.post("/v1/annotations", json={**body, "note": "", "covered": [NEW]})
        (annotation,) = answer.json()["annotations"]
    assert (task["selection"], task["inclusion_probability"], task["frames"]) == ("chosen", None, [NEW])
    assert (annotation["note"], len(annotation["covered"])) == ("Short.", 4)


def test_an_annotation_covers_frames_of_the_codebook_and_those_that_it_names(versions):
    with running(versions[2]) as client:
        body = {"coder": "mira", "text": "The army moved in.", "source": "radio", "frames": {NAME: "present"}}
        besides = client.post("/v1/annotations", json={**body, "covered": [NEW]})
        unknown = client.post("/v1/annotations", json={**body, "covered": [NAME, "weather"]})
        both = client.post("/v1/coding-queue", json={"coder": "mira", "whole": True, "later_frames": True})
    assert (besides.status_code, unknown.status_code, both.status_code) == (422, 422, 422)
    assert "covered does not name it" in besides.text
    assert "weather" in unknown.text
    assert "/later_frames" in both.text


def test_the_page_for_coding_leads_to_paragraphs_that_lack_a_frame(versions, corpus):
    before = coded_before(versions, corpus[:40])
    with running(versions[2]) as client:
        page = client.get("/coding?coder=mira").text
    assert f'later_frames=true">{len(before)} to code on frames that came later</a>' in page
