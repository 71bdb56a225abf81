"""A service whose champion is an encoder: what it answers, refuses and forgets, and what it says when it is damaged."""

import json
import shutil

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.cli.doctor import examine
from service.settings import Settings
from tests.support.files import files_below
from tests.support.paths import ROOT
from training.encoder.shipped import encoder_of
from training.encoder.vectors import VectorStore
from training.kinds.adapted import base_challenger
from training.registry.versions import Registry

EXAMPLE = json.loads((ROOT / "docs" / "example.json").read_text(encoding="utf-8"))


@pytest.fixture
def client(tiny):
    with TestClient(create_app(tiny), raise_server_exceptions=False) as client:
        yield client


# -- a damaged encoder ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_service_whose_encoder_is_damaged_says_so_and_what_to_do(tiny, base_folder, tmp_path, monkeypatch, damage):
    if damage == "changed":
        place = shutil.copytree(base_folder, tmp_path / "place")
        (place / "encoder" / "layers.npz").write_bytes(b"spoiled")
    monkeypatch.setattr("training.encoder.shipped.BASE_FOLDER", tmp_path / "place")
    encoder_of.cache_clear()
    with TestClient(create_app(tiny)) as client:
        for answer in (client.get("/readyz"), client.post("/v1/classify", json=EXAMPLE), client.get("/v1/articles")):
            if answer.request.url.path == "/v1/articles":
                assert answer.status_code == 200  # reading needs no model
                continue
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:framing:problem:model-refused")
            assert "is not part of this installation, or is damaged there: install" in answer.json()["detail"]
    [finding] = [finding for finding in examine(tiny) if finding.subject == "champion"]
    assert not finding.ok
    assert "train again" in finding.detail
    encoder_of.cache_clear()


def test_before_the_first_promotion_there_is_no_model_yet(tmp_path):
    with TestClient(create_app(Settings(data_dir=tmp_path, worker=False))) as client:
        assert "No model has been promoted yet" in client.get("/readyz").json()["detail"]


# -- requests ---------------------------------------------------------------------------------------------------------


def test_the_body_of_an_article_serves_both_classifying_and_storing(client):
    whole = {**EXAMPLE, "url": "https://example.org/train", "author": "Ilara Venn", "external_id": "7"}
    classified, stored = client.post("/v1/classify", json=whole), client.post("/v1/articles", json=whole)
    assert (classified.status_code, stored.status_code) == (200, 201)
    assert classified.json()["paragraphs"] == stored.json()["paragraphs"]
    wrong = client.post("/v1/classify", json={**whole, "published_at": "yesterday"})
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/published_at"]


def test_every_address_of_the_api_refuses_parameters_that_it_does_not_know(client):
    paths = client.get("/openapi.json").json()["paths"]
    addresses = [(path, method) for path in paths if path.startswith("/v1/") for method in paths[path]]
    assert len(addresses) > 30
    for path, method in addresses:
        address = path.replace("{id}", "0" * 32).replace("{version}", "v1")
        answer = client.request(method, address, params={"nonsense": "1"})
        assert answer.status_code == 422, (method, path, answer.text)
        assert "query/nonsense" in [error["pointer"] for error in answer.json()["errors"]], (method, path)


def test_an_unknown_parameter_is_named_with_those_that_exist(client):
    answer = client.get("/v1/annotations/export", params={"format": "csv-long", "coder": "mira", "q": "x"})
    pointers = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert "query/q" in pointers
    assert "those of this address are" in pointers["query/q"]
    assert "format" in pointers["query/q"]
    none = client.get("/v1/codebook", params={"version": "1"})
    assert none.json()["errors"][0]["detail"] == "There is no such parameter; this address has none."


def test_evidence_names_a_word_once_with_all_its_places(client):
    text = "The army, the Army and the ARMY blame foreign envoys; the army left."
    [paragraph] = client.post("/v1/classify", json={"paragraphs": [text], "force_language": "en"}).json()["paragraphs"]
    for frame in paragraph["frames"].values():
        words = [span["text"].lower() for span in frame["evidence"]]
        assert len(words) == len(set(words))
        [army] = [span for span in frame["evidence"] if span["text"].lower() == "army"]
        places = [(army["start"], army["end"]), *((place["start"], place["end"]) for place in army["repeats"])]
        assert places == [(4, 8), (14, 18), (27, 31), (58, 62)]
        assert all("repeats" not in span for span in frame["evidence"] if span is not army)


def test_evidence_with_repeats_still_adds_up_to_the_log_odds(base):
    text = "The army, the army, 7 and the Army; rain, rain and storm."
    logits, [frames] = base.scorer.explain([text])
    for k, explanation in enumerate(frames):
        words = explanation.terms.strongest(100)[k]
        assert explanation.intercept + sum(word.weight for word in words) == pytest.approx(logits[0, k], abs=1e-5)
        assert sum(len(word.places) for word in words) == len(explanation.evidence) > len(words)
        assert [abs(word.weight) for word in words] == sorted((abs(word.weight) for word in words), reverse=True)


# -- vectors ----------------------------------------------------------------------------------------------------------


def test_the_vector_of_a_deleted_text_goes_with_its_annotation(client, tiny, base):
    text = "Envoys of the zephyr league paid the men of the camp."
    body = {"text": text, "source": "diary", "coder": "mira", "frames": {}}
    client.post("/v1/annotations", json=body)
    [annotation] = client.get("/v1/annotations").json()["annotations"]
    VectorStore(tiny.vectors_dir).means(base.card.encoder_digest, [text, "Rain."])
    assert client.delete(f"/v1/annotations/{annotation['id']}").status_code == 204
    assert len(files_below(tiny.vectors_dir)) == 1


def test_a_vector_that_cannot_be_removed_is_a_problem_that_says_so_and_nothing_is_deleted(client, tiny, base):
    text = "Rain, said the people of the town."
    article = client.post("/v1/articles", json={"text": text, "force_language": "en"}).json()["id"]
    VectorStore(tiny.vectors_dir).means(base.card.encoder_digest, [text])
    [path] = files_below(tiny.vectors_dir)
    path.unlink()
    path.mkdir()  # cannot be opened to be overwritten, even by root
    answer = client.delete(f"/v1/articles/{article}")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:framing:problem:storage-unavailable")
    assert "cannot be removed" in answer.json()["detail"]
    assert client.get(f"/v1/articles/{article}").status_code == 200


def test_vectors_that_cannot_be_stored_are_logged_once(base, tmp_path, caplog):
    (tmp_path / "file").touch()
    store = VectorStore(tmp_path / "file" / "below")
    for texts in (["The army.", "Rain."], ["The sun."]):
        assert store.means(base.card.encoder_digest, texts).shape == (len(texts), 32)
    [line] = caplog.messages
    assert "Vectors cannot be stored" in line


# -- training runs and models -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["encoder", None])
def test_hyperparameters_that_an_encoder_has_no_use_for_are_refused_by_name(client, kind):
    answer = client.post("/v1/training-runs", json={"kind": kind, "hyperparameters": {"characters": 3, "ngrams": 2}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/hyperparameters/ngrams")
    assert "does not use ngrams, characters" in answer.json()["detail"]
    assert client.get("/v1/training-runs").json()["training_runs"] == []
    of_words = client.post("/v1/training-runs", json={"kind": "words", "hyperparameters": {"characters": 3}}).json()
    assert of_words["request"]["hyperparameters"] == {"characters": 3}
    assert client.post("/v1/training-runs", json={"kind": kind}).json()["request"]["hyperparameters"] == {}


def test_models_are_listed_with_the_texts_that_each_figure_is_on_and_notes_beside_the_table(tiny, base, framing):
    registry = Registry(tiny.models_location)
    note = "A note that is longer than any column of a table could be. " * 3
    registry.register(base_challenger(base, seed=2, note=note))
    done = framing("models", data_dir=tiny.data_dir)
    assert f"v2: {note.strip()}" in " ".join(done.stdout.split())
    assert "400 paragraphs: articles left out; news annotated for the base model" in " ".join(done.stdout.split())
    with TestClient(create_app(tiny)) as client:
        figures = client.get("/v1/models").json()["models"][0]["left_out"]
        assert (figures["how"], figures["texts"]) == ("articles left out", "news annotated for the base model")
        page = client.get("/models").text
        assert "400 paragraphs: articles left out; news annotated for the base model" in page
