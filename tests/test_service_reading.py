"""Whatever is read with GET changes nothing: a page of another site can make a browser send any number of them."""

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select
from starlette.testclient import TestClient

from service import app as application
from service.app import create_app
from service.settings import Settings
from service.store.sql.database import Database
from service.store.tables import metadata
from training.kinds.adapted import base_challenger
from training.registry.base import shipped_base
from training.registry.versions import Registry

# What a GET may change: when a key was used last, and how often.
MAY_CHANGE = {("api_keys", "last_used_at"), ("request_counts", "count")}
# Queries that a route needs, or that make it do more.
QUERIES = {
    "/v1/annotations/export": ["format=csv-long", "format=label-studio"],
    "/v1/coding-queue": ["coder=mira", "coder=mira&n=200", "coder=mira&later_frames=true"],
    "/v1/compare": ["a_outlet=Courier&b_outlet=Herald"],
    "/v1/prevalence": ["by=outlet,day", "unit=article&borrow=true", "format=csv"],
    "/v1/scores": ["format=csv", "format=ndjson"],
    "/coding": ["", "coder=mira", "coder=mira&whole=true", "coder=mira&later_frames=true"],
    "/v1/articles": ["", "q=army", "limit=1"],
}
# Answers that are not 200, by route.
OTHER_ANSWERS = {"/v1/articles/{id:id}/removal": 404}


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), worker=False, rate_per_minute=100_000)
    registry = Registry(settings.models_location)
    registry.promote(registry.register(base_challenger(shipped_base("words"), seed=1)).version, by="t", reason="first")
    registry.register(base_challenger(shipped_base("words"), seed=2))
    return settings


@pytest.fixture(scope="module")
def filled(settings) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """A service with something of everything, and what stands in the addresses of its routes."""
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        texts = ["The army moved into the valley at dawn.", "Ministers blamed a foreign state for the blast."]
        stored = [
            client.post("/v1/articles", json={"paragraphs": [f"{text} {outlet}" for text in texts], "outlet": outlet})
            for outlet in ("Courier", "Herald", "Post")
        ]
        article = stored[0].json()["id"]
        client.post("/v1/articles?replace=true", json={"paragraphs": texts, "external_id": "7"})
        client.post("/v1/articles?replace=true", json={"paragraphs": [*texts, "It rained."], "external_id": "7"})
        [task, *_] = client.post("/v1/coding-queue", json={"coder": "mira", "n": 4}).json()["tasks"]
        place = {"article_id": task["article_id"], "paragraph": task["paragraph"]}
        for coder in ("mira", "tom"):
            body = {"coder": coder, **place, "frames": {"foreign_hand": "reported"}}
            assert client.post("/v1/annotations", json=body).status_code == 201
        settled = {"coder": "ana", "role": "adjudicator", **place, "frames": {"foreign_hand": "reported"}}
        assert client.post("/v1/annotations", json=settled).status_code == 201
        assert client.post("/v1/gold-items", json=place).status_code == 201
        assigned = client.post("/v1/assignments", json={"coders": ["mira"], "n": 1, "training": 1}).json()["id"]
        run = client.post("/v1/training-runs", json={}).json()["id"]
        assert client.post(f"/v1/training-runs/{run}/cancel").status_code == 200
        yield client, {"articles": article, "training-runs": run, "assignments": assigned}


def addresses(client, identifiers):
    for module in application._ROUTES:
        for route in module.router.routes:
            if isinstance(route, APIRoute) and "GET" in route.methods:
                identifier = next((own for name, own in identifiers.items() if name in route.path), "")
                path = route.path.replace("{id:id}", identifier).replace("{version:model}", "v1")
                path = path.replace("{version:version}", "v2")
                path = path.replace("{name}", "prevalence")
                for query in QUERIES.get(route.path, [""]):
                    yield route.path, f"{path}?{query}" if query else path
    for path in ("/openapi.json", "/static/coding.js", "/docs/assets/swagger-ui.css"):
        yield path, path


def contents(settings):
    """All rows of all tables, and all files of the models."""
    database = Database(settings.store_url)
    rows = {}
    with database.read() as connection:
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if (table.name, column.name) not in MAY_CHANGE]
            rows[table.name] = sorted(map(repr, connection.execute(select(*columns)).all()))
    database.close()
    models = settings.data_dir / "models"
    files = {path: path.read_bytes() for path in sorted(models.rglob("*")) if path.is_file()}
    return rows, files


def test_no_get_and_no_head_changes_anything(filled, settings):
    client, identifiers = filled
    before = contents(settings)
    assert {"articles", "annotations", "draws", "training_runs", "audit"} <= {
        name for name, rows in before[0].items() if rows
    }
    walked = 0
    for route, address in addresses(client, identifiers):
        expected = OTHER_ANSWERS.get(route, 200)
        answer = client.get(address)
        assert answer.status_code == expected, (address, answer.text)
        foreign = client.get(address, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
        assert foreign.status_code in (expected, 403), address
        client.head(address)
        walked += 1
        assert contents(settings) == before, address
    assert walked >= 45
