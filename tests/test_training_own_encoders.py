"""Encoders that were fine-tuned here: where they are looked for, and how they travel with the models that read them."""

import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.cli.backup import BackupError, back_up, restore
from service.cli.doctor import examine
from service.models.transfer import export_model, import_model
from service.settings import Settings
from service.store.sql.database import Database
from tests.support.paths import ROOT
from training.challenger import Challenger
from training.encoder import shipped
from training.encoder.files import FILES, digest_of
from training.encoder.shipped import encoder_of
from training.errors import ModelFileError, RegistryError
from training.kinds.adapted import base_challenger
from training.registry.encoders import OwnEncoders
from training.registry.storage import storage_at
from training.registry.versions import Registry

TEXTS = ["The army blames the leader", "rain over the town"]
KEY = "a key that both installations have"


@pytest.fixture
def base(base, tmp_path, monkeypatch):
    """The tiny base, as if it was fine-tuned here: nothing is shipped, and no other test has opened its registry."""
    monkeypatch.setattr(shipped, "BASE_FOLDER", tmp_path / "nothing")
    monkeypatch.setattr(shipped, "_own_places", [])
    encoder_of.cache_clear()
    yield base
    encoder_of.cache_clear()


def tuned(base) -> Challenger:
    challenger = base_challenger(base, seed=1)
    encoder = replace(base.card.encoder, fine_tuned_from="f" * 64, own_paragraphs=7)
    return replace(challenger, card=replace(challenger.card, encoder=encoder))


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", worker=False, model_key=KEY)


@pytest.fixture
def registry(settings, base, base_folder):
    """A registry whose champion reads an encoder that only this registry has."""
    registry = Registry(settings.models_location, settings.trust)
    assert registry.encoders.add(base_folder / "encoder") == base.card.encoder_digest
    registry.promote(registry.register(tuned(base)).version, by="tests", reason="the first")
    return registry


def place(registry, base):
    return registry.storage.folder / "encoders" / base.card.encoder_digest


def test_a_model_is_served_with_the_encoder_beside_the_versions(registry, base):
    assert registry.load("v1").score(TEXTS).shape == (2, len(base.card.frames))
    card = registry.card("v1")
    assert (card.encoder.fine_tuned_from, card.encoder.own_paragraphs) == ("f" * 64, 7)
    assert registry.unfinished() == []


def test_the_service_answers_with_it_and_says_which_encoder_it_was_fine_tuned_from(registry, settings):
    with TestClient(create_app(settings)) as client:
        answer = client.post("/v1/classify", json={"text": "\n\n".join(TEXTS)}).json()
        [listed] = client.get("/v1/models").json()["models"]
    assert answer["model"]["version"] == "v1"
    assert (listed["encoder"]["fine_tuned_from"], listed["encoder"]["own_paragraphs"]) == ("f" * 64, 7)


def test_a_process_that_opens_no_registry_knows_where_the_encoder_is(registry, tmp_path):
    scores = registry.load("v1").score(TEXTS)
    file = tmp_path / "scorer.pickle"
    file.write_bytes(pickle.dumps(registry.load("v1")))
    code = f"import pickle; print(pickle.load(open({str(file)!r}, 'rb')).score({TEXTS!r}).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == str(scores.tolist())


@pytest.mark.parametrize("damage", ["changed", "missing", "gone"])
def test_an_encoder_that_is_damaged_or_gone_is_refused_with_what_to_do(registry, base, damage):
    folder = place(registry, base)
    if damage == "changed":
        (folder / "layers.npz").write_bytes(b"spoiled")
    elif damage == "missing":
        (folder / "tokenizer.json").unlink()
    else:
        shutil.rmtree(folder)
    encoder_of.cache_clear()
    with pytest.raises(ModelFileError, match=r"not part of this installation, or is damaged.*restore a backup"):
        registry.load("v1").score(TEXTS)


@pytest.mark.parametrize("digest", ["", "..", "../encoders/x", "F" * 64, "/etc"])
def test_a_digest_that_is_none_is_looked_for_nowhere(registry, digest):
    assert shipped.folder_of(digest) is None


def test_a_place_at_a_url_takes_no_encoder(base_folder):
    with pytest.raises(RegistryError, match="only be stored in a folder of models"):
        OwnEncoders(storage_at("s3://bucket/models")).add(base_folder / "encoder")


def test_encoders_that_no_model_reads_and_halves_of_them_are_named_as_leftovers(registry, base, settings):
    unused = registry.storage.folder / "encoders" / ("a" * 64)
    shutil.copytree(place(registry, base), unused)
    (registry.storage.folder / "encoders" / ("b" * 64)).mkdir()
    assert registry.unfinished() == [f"encoders/{'a' * 64}", f"encoders/{'b' * 64}"]
    [finding] = [finding for finding in examine(settings) if finding.subject == "leftovers"]
    assert f"encoders that no model reads, beside the models; while nothing trains, delete encoders/{'a' * 64}" in (
        finding.detail
    )
    card = registry.storage.folder / "versions" / "v1" / "card.json"
    card.write_text("{}", encoding="utf-8")  # whatever encoder this card named is not to be deleted
    assert registry.unfinished() == []


def test_a_backup_takes_the_encoder_along(registry, base, settings, tmp_path, monkeypatch):
    scores = registry.load("v1").score(TEXTS)
    database = Database(settings.store_url)
    database.migrate()
    database.close()
    back_up(settings, tmp_path / "backup.zip", lambda _what, _share: None)
    elsewhere = Settings(data_dir=tmp_path / "elsewhere")
    restore(elsewhere, tmp_path / "backup.zip")
    monkeypatch.setattr(shipped, "_own_places", [])
    encoder_of.cache_clear()
    assert (Registry(elsewhere.models_location).load("v1").score(TEXTS) == scores).all()
    to_a_store = Settings(data_dir=tmp_path / "third", models_url="memory://models")
    with pytest.raises((BackupError, RegistryError), match="not in an object store"):
        restore(to_a_store, tmp_path / "backup.zip")
    assert storage_at("memory://models").files(".") == set()


def test_a_model_that_is_exported_takes_its_encoder_along(registry, base, settings, tmp_path, monkeypatch):
    scores = registry.load("v1").score(TEXTS)
    export_model(settings, "v1", tmp_path / "v1.zip")
    monkeypatch.setattr(shipped, "_own_places", [])
    encoder_of.cache_clear()
    there = Settings(data_dir=tmp_path / "there", model_key=KEY)
    assert import_model(there, tmp_path / "v1.zip").version == "v1"
    taken = Registry(there.models_location)
    assert digest_of(place(taken, base)) == base.card.encoder_digest
    assert (taken.load("v1").score(TEXTS) == scores).all()


def test_an_encoder_of_another_digest_than_the_card_names_is_not_stored(registry, base, tmp_path):
    files = registry.encoders.files(base.card.encoder_digest)
    assert set(FILES) <= set(files)
    other = OwnEncoders(storage_at(tmp_path / "other"))
    for wrong in ({**files, "layers.npz": b"spoiled"}, {"layers.npz": b""}):
        with pytest.raises(ModelFileError, match="not those that the card"):
            other.add_files(base.card.encoder_digest, wrong)
    assert other.digests() == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--kind", "words"], "--finetune needs --kind encoder or --kind encoder-small: a model of words"),
        (["--kind", "encoder"], "Install media-framing[finetune] to fine-tune an encoder."),
        (["--kind", "encoder", "--cluster", "local"], "--cluster trains folds of a model of words"),
    ],
)
def test_what_cannot_be_fine_tuned_is_refused_by_a_sentence(framing, tmp_path, monkeypatch, options, sentence):
    monkeypatch.setitem(sys.modules, "torch", None)
    done = framing("train", "--finetune", *options, data_dir=tmp_path)
    assert done.returncode != 0
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
