"""The interfaces to other programs: SQL views, Datasette, Grafana."""

import json
import re
import subprocess
import sys

import httpx2
import pytest
from sqlalchemy import text

from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import answers
from tests.support.paths import ROOT
from tests.support.servers import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.databases

DASHBOARD = json.loads((ROOT / "docs/dashboards/framing.json").read_text(encoding="utf-8"))
QUERIES = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/sql-views.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def filled(client):
    raid = "Troops launched a clearance operation and killed a dozen militants."
    for number, outlet in enumerate(("Harbour Post", "Valley Times", None)):
        body = {
            "title": f"Day {number}",
            "outlet": outlet,
            "text": f"{THREE_PARAGRAPHS}\n\nNaïve “quotes” 🚂 {number}: {raid}",
            "published_at": f"2026-03-0{number + 1}",
        }
        assert client.post("/v1/articles", json=body).status_code == 201
    return client


def query(settings, sql):
    database = Database(settings.store_url)
    with database.read() as connection:
        rows = [dict(row._mapping) for row in connection.execute(text(sql))]
    database.close()
    return rows


def test_frame_scores_has_a_row_per_paragraph_and_frame_of_the_champion(filled, settings):
    rows = query(settings, "SELECT * FROM frame_scores")
    article = filled.get(f"/v1/articles/{rows[0]['article_id']}").json()
    of_article = [row for row in rows if row["article_id"] == article["id"]]
    assert len(of_article) == 4 * 4
    for row in of_article:
        paragraph = article["paragraphs"][row["paragraph"]]
        frame = paragraph["frames"][row["frame"]]
        assert (row["score"], row["decision"], row["text"]) == (frame["score"], frame["decision"], paragraph["text"])
        assert row["model_version"] == "v1"


def test_article_frames_and_prevalence_daily_agree_with_the_api(filled, settings):
    listed = {article["id"]: article for article in filled.get("/v1/articles").json()["articles"]}
    for row in query(settings, "SELECT * FROM article_frames"):
        frame = listed[row["article_id"]]["article"]["frames"][row["frame"]]
        assert (row["score"], row["decision"], row["share"], row["present"]) == (
            frame["score"],
            frame["decision"],
            frame["share"],
            frame["paragraphs"],
        )
        assert row["paragraphs"] == 4
    cells = filled.get("/v1/prevalence?by=outlet,day").json()["rows"]
    daily = {(str(r["day"]), r["outlet"], r["frame"]): r for r in query(settings, "SELECT * FROM prevalence_daily")}
    assert len(cells) == len(daily) == 3 * 4
    for cell in cells:
        row = daily[cell["period"], cell["outlet"], cell["frame"]]
        assert (row["present"], row["paragraphs"], row["share"]) == (cell["count"], cell["total"], cell["raw_share"])


def test_the_views_follow_the_champion(filled, settings, registry, challenger):
    registry.promote(registry.register(challenger).version, by="test", reason="another", force=True)
    wait_until(
        lambda: query(settings, "SELECT version FROM champion") == [{"version": "v2"}],
        "the views to follow the champion",
    )
    assert query(settings, "SELECT * FROM frame_scores") == []
    registry.roll_back(by="test", reason="back")
    wait_until(lambda: len(query(settings, "SELECT * FROM article_frames")) == 12, "the first champion again")


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_the_examples_in_the_document_run(filled, settings, number):
    assert query(settings, QUERIES[number])


@pytest.mark.databases("sqlite")
def test_datasette_opens_the_database_while_the_service_runs_and_shows_the_views(filled, settings):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "datasette", str(settings.data_dir / "framing.sqlite3"), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: answers(client, "/-/versions.json"), "Datasette to answer", process=process)
            for view, rows in (("frame_scores", 48), ("article_frames", 12), ("prevalence_daily", 12)):
                page = client.get(f"/framing/{view}.json", params={"_shape": "array", "_size": "max"})
                assert len(page.json()) == rows
                assert "foreign_hand" in client.get(f"/framing/{view}").text
    finally:
        process.terminate()
        process.wait(timeout=20)


GRAFANA = [pytest.param(target, id=panel["title"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("target", GRAFANA)
def test_each_query_of_the_grafana_dashboard_returns_the_columns_of_its_panel(filled, target):
    assert target["parser"] == "backend"
    variables = {"${by}": "week", "${borrow}": "true"}
    url = target["url"]
    for variable in DASHBOARD["templating"]["list"]:
        assert variable["current"]["value"] in variable["query"].split(",")
    for name, value in variables.items():
        url = url.replace(name, value)
    url = re.sub(r"\$\{__from:[^}]*\}", "2026-01-01", url)
    url = re.sub(r"\$\{__to:[^}]*\}", "2026-12-31", url)
    assert "$" not in url
    answer = filled.get(url)
    assert answer.status_code == 200
    rows = answer.json()[target["root_selector"]]
    assert rows
    for column in target["columns"]:
        values = [row[column["selector"]] for row in rows if column["selector"] in row]
        assert values
        kinds = {"number": (int, float), "string": str, "timestamp": str}[column["type"]]
        assert all(value is None or isinstance(value, kinds) for value in values)


def test_the_provisioning_files_name_the_data_source_of_the_dashboard():
    import yaml

    sources, providers = yaml.safe_load_all((ROOT / "docs/dashboards/provisioning.yaml").read_text(encoding="utf-8"))
    named = {(s["uid"], s["type"]) for s in sources["datasources"]}
    used = {(p["datasource"]["uid"], p["datasource"]["type"]) for p in DASHBOARD["panels"]}
    assert used == named
    assert providers["providers"][0]["type"] == "file"
