import json
import logging

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.waiting import wait_until

pytestmark = pytest.mark.databases


def current_version(client):
    return client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).json()["model"]["version"]


def test_models_are_listed_with_their_figures_and_the_champion_marked(client, registry, challenger):
    registry.register(challenger)
    answer = client.get("/v1/models").json()
    assert answer["champion"] == "v1"
    assert [(model["version"], model["champion"]) for model in answer["models"]] == [("v2", False), ("v1", True)]
    left_out = answer["models"][0]["left_out"]
    assert left_out["how"] == challenger.card.left_out.how == "leave sources out, 10 groups of 126 sources"
    assert left_out["macro_f1"]["low"] < left_out["macro_f1"]["value"] < left_out["macro_f1"]["high"]
    assert [figures["frame"] for figures in left_out["frames"]] == list(challenger.card.frames)


def test_a_damaged_model_is_listed_apart(client, registry, challenger):
    registry.register(challenger)
    (registry.storage.folder / "versions" / "v2" / "card.json").write_text("{", encoding="utf-8")
    answer = client.get("/v1/models").json()
    assert [model["version"] for model in answer["models"]] == ["v1"]
    assert answer["damaged"][0]["version"] == "v2"
    assert client.get("/v1/models/v2").status_code == 503


def test_a_card_is_served_as_json_or_by_accept_as_markdown(client):
    card = client.get("/v1/models/champion").json()
    assert (card["version"], card["champion"]) == ("v1", True)
    assert set(card["cuts"]) == {"balanced", "high_precision", "high_recall"}
    markdown = client.get("/v1/models/v1", headers={"Accept": "text/markdown"})
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "## Intended use" in markdown.text


@pytest.mark.parametrize("version", ["v2", "v999999999"])
def test_a_version_that_is_not_there_is_404(client, version):
    assert client.get(f"/v1/models/{version}").status_code == 404


@pytest.mark.parametrize("version", ["v0", "..", "v1%2f..", "V1"])
def test_a_malformed_version_is_refused(client, version):
    assert client.get(f"/v1/models/{version}").status_code in (404, 422)


def test_the_codebook_is_served_with_definitions_and_colours(client, codebook):
    answer = client.get("/v1/codebook").json()
    assert (answer["name"], answer["version"]) == (codebook.name, codebook.version)
    assert [(f["key"], f["colour"]) for f in answer["frames"]] == [(f.key, f.colour) for f in codebook.frames]


def test_a_promotion_and_a_rollback_take_effect_while_running(client, registry, challenger):
    registry.register(challenger)
    registry.promote("v2", by="mira", reason="better")
    wait_until(lambda: current_version(client) == "v2", "the new champion", seconds=5)
    registry.roll_back(by="mira", reason="worse")
    wait_until(lambda: current_version(client) == "v1", "the old champion", seconds=5)


def test_a_champion_that_cannot_be_loaded_is_refused_and_the_old_champion_stays(client, registry, challenger, caplog):
    registry.register(challenger)
    registry.promote("v2", by="mira", reason="better")
    wait_until(lambda: current_version(client) == "v2", "v2", seconds=5)
    registry.register(challenger)
    registry.promote("v3", by="mira", reason="better still")
    wait_until(lambda: current_version(client) == "v3", "v3", seconds=5)
    (registry.storage.folder / "versions" / "v1" / "pipeline.joblib").write_bytes(b"spoiled")
    promotions = registry.storage.folder / "promotions"
    first = json.loads((promotions / "000001.json").read_bytes())
    (promotions / "000004.json").write_text(json.dumps({**first, "number": 4}), encoding="utf-8")
    with caplog.at_level(logging.ERROR):
        wait_until(lambda: "framing_model_refusals_total 1.0" in client.get("/metrics").text, "the refusal", seconds=5)
    assert current_version(client) == "v3"
    assert "was refused; the current model stays" in caplog.text
    assert client.get("/readyz").status_code == 200


def test_without_a_champion_the_service_lives_but_is_not_ready(tmp_path):
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        assert client.get("/livez").status_code == 200
        for response in (client.get("/readyz"), client.post("/v1/classify", json={"text": "The army moved in."})):
            assert response.status_code == 503
            assert response.headers["retry-after"]
            assert "framing train" in response.json()["detail"]
        assert client.get("/v1/models").json() == {"champion": None, "models": [], "damaged": []}
        assert client.get("/v1/models/champion").status_code == 503


@pytest.mark.databases("sqlite")
def test_the_service_is_ready_with_champion_and_database_and_not_when_the_database_is_gone(client, settings):
    answer = client.get("/readyz").json()
    assert (answer["status"], set(answer)) == ("ok", {"status", "worker"})
    client.app.state.services.database.engine.dispose()
    for file in settings.data_dir.glob("framing.sqlite3*"):
        file.unlink()
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_metrics_count_requests_by_route_and_decisions_by_frame(client):
    client.post("/v1/classify", json={"text": THREE_PARAGRAPHS})
    client.get("/v1/articles/" + "0" * 32)
    client.get("/nowhere/at/all")
    text = client.get("/metrics").text
    assert 'framing_http_requests_total{method="POST",route="/v1/classify",status="200"} 1.0' in text
    assert 'framing_http_requests_total{method="GET",route="/v1/articles/{id}",status="404"} 1.0' in text
    assert 'framing_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'framing_decisions_total{decision="present",frame="foreign_hand"} 1.0' in text
    assert "framing_paragraphs_scored_total 3.0" in text
    assert 'framing_champion_info{version="v1"} 1.0' in text
    assert "framing_http_request_duration_seconds_bucket" in text


def test_unknown_addresses_and_methods_are_problems_too(client):
    missing = client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    wrong = client.put("/v1/articles")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET, POST"
    assert wrong.json()["status"] == 405


def test_an_unexpected_error_gets_an_id_and_shows_nothing_internal(client, monkeypatch):
    def explode(*_args, **_kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("service.routes.classify.read_article", explode)
    response = client.post("/v1/classify", json={"text": THREE_PARAGRAPHS})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "logged under the id" in response.json()["detail"]
    assert "secret" not in response.text


def test_the_documentation_page_needs_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/assets/{asset}" in page
        assert client.get(f"/docs/assets/{asset}").status_code == 200
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert "isOAS31" in client.get("/docs/assets/swagger-ui-bundle.js").text
