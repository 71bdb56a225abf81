"""Purge, backup and restore, and transfer of models."""

import hashlib
import json
import random
import stat
import threading
import zipfile
from dataclasses import replace

import pytest

from labels.errors import FramingError
from service.cli.backup import BackupError, back_up, restore
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.servers import running_server
from tests.support.waiting import wait_until
from training.challenger import Challenger
from training.registry.storage import LocalStorage
from training.registry.versions import Registry

SECRET = (
    "Zarquon ministers of the Obelisk coast ignored the warnings of the Yttrium committee. "
    "The army moved into Quillfeather valley, and Brontide herders say they were never paid."
)


def windows_of_text_in(folder):
    """Pieces of 24 bytes of the text that are in any file of a folder."""
    text = SECRET.encode()
    pieces = {text[start : start + 24] for start in range(len(text) - 24)}
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {piece for piece in pieces for content in contents if piece in content}


def store_everywhere(client):
    """Stores an article under an Idempotency-Key, and an annotation on it."""
    article = {"text": f"{SECRET}\n\n{THREE_PARAGRAPHS}", "title": SECRET[:80], "outlet": "Ilara Post"}
    stored = client.post("/v1/articles", json=article, headers={"Idempotency-Key": "k"}).json()
    annotation = {"coder": "mira", "article_id": stored["id"], "paragraph": 0, "frames": {}, "note": SECRET[:60]}
    assert client.post("/v1/annotations", json=annotation).status_code == 201
    return stored["id"]


def test_nothing_of_an_article_is_left_in_the_files_after_it_was_deleted(client, settings):
    identifier = store_everywhere(client)
    assert windows_of_text_in(settings.data_dir)
    assert client.delete(f"/v1/articles/{identifier}").status_code == 204
    assert windows_of_text_in(settings.data_dir) == set()


def test_purge_removes_articles_and_names_the_models_that_learned_from_them(
    client, settings, registry, challenger, framing
):
    identifier = store_everywhere(client)
    registry.register(Challenger(challenger.pipeline, replace(challenger.card, stored_articles=(identifier, "0" * 32))))
    done = framing("purge", identifier, "f" * 32, "--json", data_dir=settings.data_dir)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "removed": [identifier],
        "missing": ["f" * 32],
        "models": ["v2"],
        "runs": [],
        "left": None,
    }
    assert f"No article is stored under the id {'f' * 32}" in done.stderr
    assert client.get(f"/v1/articles/{identifier}").status_code == 404
    assert windows_of_text_in(settings.data_dir) == set()
    assert registry.card("v2").stored_articles == (identifier, "0" * 32)


@pytest.mark.databases("postgresql")
def test_purge_rewrites_the_tables_of_postgresql(client, settings, registry, framing, database_url):
    identifier = store_everywhere(client)
    done = framing("purge", identifier, data_dir=settings.data_dir, database_url=database_url)
    assert (done.returncode, done.stdout) == (0, "Purged 1 article.\n")
    database = Database(settings.store_url)
    with database.read() as connection:
        for table in ("articles", "annotations"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    database.close()


def test_a_backup_made_under_load_is_whole_and_restores_to_what_was_acknowledged(settings, framing, tmp_path):
    path, stop, acknowledged = tmp_path / "backup.zip", threading.Event(), []
    with running_server(settings.data_dir) as (client, _process):

        def write():
            number = 0
            while not stop.is_set():
                answer = client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS} {number}."})
                acknowledged.append((answer.json()["id"], number))
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: len(acknowledged) > 20, "some articles")
        before = len(acknowledged)
        made = framing("backup", str(path), "--json", data_dir=settings.data_dir)
        assert made.returncode == 0, made.stderr
        stop.set()
        writer.join()
    elsewhere = tmp_path / "elsewhere"
    done = framing("restore", str(path), data_dir=elsewhere)
    assert "Restored the backup of" in done.stdout, done.stderr
    assert "FAULT" not in framing("doctor", data_dir=elsewhere).stdout
    with running_server(elsewhere) as (client, _process):
        for identifier, number in acknowledged[:before]:
            assert client.get(f"/v1/articles/{identifier}").json()["text"].endswith(f"{number}.")
        text = {"text": THREE_PARAGRAPHS}
        assert client.post("/v1/classify", json=text).json()["model"]["version"] == "v1"
    assert "The data folder has a database or a model" in framing("restore", str(path), data_dir=elsewhere).stderr
    assert "already exists" in framing("backup", str(path), data_dir=settings.data_dir).stderr


def test_a_damaged_or_foreign_backup_is_refused_before_any_file_is_written(settings, client, tmp_path):
    client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
    whole = tmp_path / "whole.zip"
    back_up(settings, whole, lambda _step, _share: None)
    empty = settings.model_copy(update={"data_dir": tmp_path / "empty"})

    def changed(name, content):
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
            for entry in old.namelist():
                new.writestr(entry, content if entry == name else old.read(entry))
        return path

    contents = json.loads(zipfile.ZipFile(whole).read("contents.json"))
    outside = {**contents, "sha256": {**contents["sha256"], "models/../../outside": "0" * 64}}
    (tmp_path / "no.zip").write_bytes(b"no zip")
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-2000])
    for path in (
        changed("database.sqlite3", b"x"),
        changed("models/versions/v1/card.json", b"{}"),
        changed("contents.json", json.dumps(outside).encode()),
        changed("contents.json", b"{}"),
        tmp_path / "no.zip",
        tmp_path / "cut.zip",
        tmp_path / "missing.zip",
    ):
        with pytest.raises(BackupError):
            restore(empty, path)
        assert not (tmp_path / "empty").exists()
    assert restore(empty, whole).database
    assert Registry(empty.models_location).load_champion()[0].card.version == "v1"


def test_a_backup_with_a_file_for_another_place_or_an_unnamed_file_writes_nothing_at_all(
    client, settings, registry, tmp_path
):
    whole, forged = tmp_path / "whole.zip", tmp_path / "forged.zip"
    back_up(settings, whole, lambda _step, _share: None)
    empty = settings.model_copy(update={"data_dir": tmp_path / "empty"})
    link = zipfile.ZipInfo("models/versions/v9")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    outside = tmp_path / "outside"
    for name in (
        f"models/{outside}",
        f"models/versions/{outside}",
        "models/versions/../../../outside",
        "models/versions\\..\\..\\..\\outside",
        str(outside),
        link,
        "models/elsewhere/a",
        "a",
    ):
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(forged, "w") as new:
            contents = json.loads(old.read("contents.json"))
            for entry in old.namelist():
                if entry != "contents.json":
                    new.writestr(entry, old.read(entry))
            new.writestr(name, b"x")
            contents["sha256"][getattr(name, "filename", name)] = hashlib.sha256(b"x").hexdigest()
            new.writestr("contents.json", json.dumps(contents))
        with pytest.raises(BackupError, match=r"is not taken as a backup: The archive's member|does not belong"):
            restore(empty, forged)
        assert not (tmp_path / "empty").exists()
        assert not outside.exists()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(forged, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
        new.writestr("models/versions/v9/card.json", b"{}")
    with pytest.raises(BackupError, match=r"v9/card.json is not both in the backup and in its contents.json"):
        restore(empty, forged)
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    "contents", ["[]", '{"sha256": []}', '{"sha256": {"a": 5}, "made_at": "x", "database": false}', "[" * 100_000, "{"]
)
def test_contents_that_no_backup_has_are_refused_by_a_sentence(settings, tmp_path, contents):
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(forged, "w") as new:
        new.writestr("contents.json", contents)
    with pytest.raises(BackupError, match=r"forged.zip|contents.json"):
        restore(settings.model_copy(update={"data_dir": tmp_path / "empty"}), forged)


def killed_restore(settings, path, monkeypatch, after):
    """A restore that is killed after it has written some files."""
    written = []
    write = LocalStorage.write

    def die(storage, name, content):
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(name)
        write(storage, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", die)
        with pytest.raises(KeyboardInterrupt):
            restore(settings, path)
    return written


def test_the_parts_of_a_killed_restore_are_named_and_deleted_and_then_it_succeeds(
    client, settings, framing, tmp_path, monkeypatch
):
    client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
    whole = tmp_path / "whole.zip"
    back_up(settings, whole, lambda _step, _share: None)
    place = settings.model_copy(update={"data_dir": tmp_path / "place"})
    assert len(killed_restore(place, whole, monkeypatch, after=2)) == 2
    again = framing("restore", str(whole), data_dir=place.data_dir)
    assert again.returncode == 1
    assert "An earlier restore into" in again.stderr
    assert "delete them with `framing doctor --mend`" in again.stderr
    doctor = framing("doctor", "--json", data_dir=place.data_dir)
    [finding] = [f for f in json.loads(doctor.stdout) if f["subject"] == "restore"]
    assert f"The restore of {whole} did not finish; it left 2 files" in finding["detail"]
    mended = framing("doctor", "--mend", data_dir=place.data_dir)
    assert f"Deleted 2 files of the restore of {whole}" in mended.stderr
    assert [path for path in place.data_dir.rglob("*") if path.is_file()] == []
    done = framing("restore", str(whole), data_dir=place.data_dir)
    assert "Restored the backup of" in done.stdout, done.stderr
    assert not (place.data_dir / "restoring.json").exists()
    assert "FAULT" not in framing("doctor", data_dir=place.data_dir).stdout


@pytest.mark.parametrize("content", [b"not a database at all" * 300, b"SQLite format 3\0" + bytes(5000), b""])
def test_a_backup_whose_database_is_none_is_refused_and_leaves_nothing(client, settings, framing, tmp_path, content):
    whole, forged = tmp_path / "whole.zip", tmp_path / "forged.zip"
    back_up(settings, whole, lambda _step, _share: None)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(forged, "w") as new:
        contents = json.loads(old.read("contents.json"))
        contents["sha256"]["database.sqlite3"] = hashlib.sha256(content).hexdigest()
        for name in old.namelist():
            own = {"contents.json": json.dumps(contents), "database.sqlite3": content}
            new.writestr(name, own[name] if name in own else old.read(name))
    place = tmp_path / "place"
    done = framing("restore", str(forged), data_dir=place)
    assert done.returncode == 1
    assert "The database of the backup is" in done.stderr
    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert "Restored the backup of" in framing("restore", str(whole), data_dir=place).stdout


def test_mending_a_killed_restore_keeps_what_something_else_has_written_since(
    client, settings, framing, tmp_path, monkeypatch
):
    whole = tmp_path / "whole.zip"
    back_up(settings, whole, lambda _step, _share: None)
    place = settings.model_copy(update={"data_dir": tmp_path / "place"})
    [_, name] = killed_restore(place, whole, monkeypatch, after=2)
    own = place.data_dir / "framing.sqlite3"
    own.write_bytes(b"a database that a server began")
    other = place.data_dir / "models" / name
    other.write_bytes(b"another file of this name")
    mended = framing("doctor", "--mend", data_dir=place.data_dir)
    assert "Kept, because they are not the backup's" in mended.stderr
    assert own.read_bytes() == b"a database that a server began"
    assert other.read_bytes() == b"another file of this name"


def test_a_restore_that_ended_before_its_note_was_deleted_is_recognised(client, settings, framing, tmp_path):
    whole = tmp_path / "whole.zip"
    back_up(settings, whole, lambda _step, _share: None)
    place = settings.model_copy(update={"data_dir": tmp_path / "place"})
    restore(place, whole)
    digests = json.loads(zipfile.ZipFile(whole).read("contents.json"))["sha256"]
    note = {"backup": str(whole), "sha256": digests}
    (place.data_dir / "restoring.json").write_text(json.dumps(note), encoding="utf-8")
    mended = framing("doctor", "--mend", data_dir=place.data_dir)
    assert "had finished but for a note" in mended.stderr
    assert Registry(place.models_location).versions() == ["v1"]
    (place.data_dir / "restoring.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in framing("doctor", "--mend", data_dir=place.data_dir).stderr


def test_a_backup_that_is_damaged_anywhere_is_refused_by_a_sentence(client, settings, tmp_path):
    """Damage in the middle, and in the directory of the archive, where sizes, names and methods stand."""
    whole, chance = tmp_path / "whole.zip", random.Random(5)
    back_up(settings, whole, lambda _step, _share: None)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "small.zip", "w") as new:
        contents = json.loads(old.read("contents.json"))
        names = [name for name in old.namelist() if name.endswith(("card.json", "000001.json"))]
        for name in names:
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
        contents |= {"database": False, "sha256": {name: contents["sha256"][name] for name in names}}
        new.writestr("contents.json", json.dumps(contents))
    content = (tmp_path / "small.zip").read_bytes()
    directory = content.index(b"PK\x01\x02")
    refused = 0
    for number in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(directory if number % 2 else 0, len(damaged))
            damaged[place] = chance.choice((0, 1, 255, chance.randrange(256)))
        (tmp_path / "damaged.zip").write_bytes(damaged[: chance.choice((None, None, len(damaged) - 7))])
        target = tmp_path / f"target-{number}"
        try:
            restore(settings.model_copy(update={"data_dir": target}), tmp_path / "damaged.zip")
        except FramingError:
            refused += 1
            assert not (target / "models").exists()
    assert refused > 100


@pytest.mark.parametrize("made_at", ["\ud800", "\x1b[2J", "gestern\n"])
def test_a_backup_that_says_its_time_in_unprintable_characters_is_refused(settings, tmp_path, made_at):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as new:
        new.writestr("contents.json", json.dumps({"made_at": made_at, "database": False, "sha256": {}}))
    with pytest.raises(FramingError, match="is not that of a backup"):
        restore(settings.model_copy(update={"data_dir": tmp_path / "target"}), tmp_path / "a.zip")


KEY = "a key that both installations have"


@pytest.mark.parametrize(
    "signature",
    ["[]", "[" * 100_000, "5", '"a"', "{}", '{"hmac_sha256": "ä"}', '{"hmac_sha256": []}', "\ud800", "\xff"],
)
def test_a_model_file_with_another_signature_is_refused_by_a_sentence(framing, tmp_path, signature):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as new:
        for name in ("card.json", "pipeline.joblib"):
            new.writestr(name, b"{}")
        new.writestr("signature.json", signature.encode("utf-8", "surrogatepass"))
    done = framing("import-model", "a.zip", data_dir=tmp_path / "there", model_key=KEY)
    assert done.returncode == 1
    assert "a.zip" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_what_is_wrong_with_a_database_that_is_none(settings, framing):
    for content in (b"not a database at all" * 300, b"SQLite format 3\0" + bytes(5000), b""):
        (settings.data_dir / "framing.sqlite3").write_bytes(content)
        done = framing("doctor", "--json", data_dir=settings.data_dir)
        findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
        assert done.returncode == 1
        assert not findings["database"]["ok"]
        assert findings["model v1"]["ok"]


def test_a_model_goes_to_another_installation_signed_and_every_other_file_is_refused(
    settings, registry, framing, tmp_path
):
    place = {"data_dir": settings.data_dir, "model_key": KEY}
    assert "set FRAMING_MODEL_KEY" in framing("export-model", "v1", "a.zip", data_dir=settings.data_dir).stderr
    assert framing("export-model", "v1", "a.zip", **place).returncode == 0
    file = tmp_path / "a.zip"
    there = {"data_dir": tmp_path / "there", "model_key": KEY}
    other = framing("import-model", "a.zip", data_dir=tmp_path / "there", model_key=KEY[::-1])
    assert "was not signed with this installation's" in other.stderr

    def changed(name, content):
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "b.zip", "w") as new:
            for entry in old.namelist():
                new.writestr(entry, content if entry == name else old.read(entry))
        return framing("import-model", "b.zip", **there)

    for name in ("pipeline.joblib", "scorer.npz", "card.json", "signature.json"):
        done = changed(name, b"{}")
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert Registry(tmp_path / "there" / "models").versions() == []
    assert json.loads(framing("import-model", "a.zip", "--json", **there).stdout) == {"version": "v1"}
    texts = THREE_PARAGRAPHS.split("\n\n")
    taken = Registry(tmp_path / "there" / "models").load("v1")
    assert (taken.score(texts) == registry.load("v1").score(texts)).all()


def test_a_model_in_the_format_of_skops_scores_alike_without_unpickling(settings, registry, framing, tmp_path):
    from skops.io import get_untrusted_types, load

    from labels.normalise import normalise

    assert framing("export-model", "v1", "v1.skops", "--skops", data_dir=settings.data_dir).returncode == 0
    path = tmp_path / "v1.skops"
    pipeline = load(path, trusted=get_untrusted_types(file=path))
    texts = THREE_PARAGRAPHS.split("\n\n")
    expected = registry.load("v1").score(texts)
    scores = pipeline.predict_proba([normalise(text) for text in texts])[:, : expected.shape[1]]
    assert abs(scores - expected).max() < 1e-9
