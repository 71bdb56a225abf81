import csv
import io
import json

import pyarrow.parquet
import pytest

from tests.support.articles import THREE_PARAGRAPHS
from tests.support.filled_database import fill
from tests.support.length import full
from tests.support.procfs import resident_memory
from tests.support.servers import running_server

pytestmark = pytest.mark.databases

# 600,000 in the full form.
ROWS = full(600_000, short=240_000)
MAX_GROWTH_MIB = 50


def post(client, **more):
    answer = client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, **more})
    assert answer.status_code == 201
    return answer.json()


def test_an_export_has_a_row_per_paragraph_and_frame_oldest_article_first(client):
    late = post(client, outlet="Courier", published_at="2026-03-02")
    early = post(client, outlet="Post", published_at="2026-03-01", external_id="p-1", title="Two, three")
    lines = [json.loads(line) for line in client.get("/v1/scores?format=ndjson").text.splitlines()]
    assert len(lines) == 2 * 3 * 4
    assert [line["article_id"] for line in lines] == [early["id"]] * 12 + [late["id"]] * 12
    assert (lines[0]["external_id"], lines[0]["title"], lines[0]["day"]) == ("p-1", "Two, three", "2026-03-01")
    for line in lines:
        article = late if line["article_id"] == late["id"] else early
        frame = article["paragraphs"][line["paragraph"]]["frames"][line["frame"]]
        assert (line["score"], line["decision"], line["model_version"]) == (frame["score"], frame["decision"], "v1")
    assert {(line["outlet"], line["first_copy"]) for line in lines} == {("Courier", True), ("Post", False)}


def test_every_format_holds_the_same_scores(client):
    post(client, title="Naïve “quotes”, and\na line", published_at="2026-03-01T05:06:07.5Z")
    lines = [json.loads(line) for line in client.get("/v1/scores?format=ndjson").text.splitlines()]
    table = list(csv.DictReader(io.StringIO(client.get("/v1/scores?format=csv").text, newline="")))
    assert [(r["title"], r["frame"], float(r["score"])) for r in table] == [
        (line["title"], line["frame"], line["score"]) for line in lines
    ]
    parquet = pyarrow.parquet.read_table(io.BytesIO(client.get("/v1/scores?format=parquet").content))
    rows = parquet.to_pylist()
    assert [(r["title"], r["frame"], r["score"]) for r in rows] == [
        (line["title"], line["frame"], line["score"]) for line in lines
    ]
    assert rows[0]["published_at"].isoformat() == "2026-03-01T05:06:07.500000+00:00"
    assert str(parquet.schema.field("day").type) == "date32[day]"


def test_cells_that_a_spreadsheet_would_execute_are_neutralised(client):
    post(client, title="=HYPERLINK(1)", outlet="@SUM(A1)")
    row = next(csv.DictReader(io.StringIO(client.get("/v1/scores?format=csv").text)))
    assert (row["title"], row["outlet"]) == ("'=HYPERLINK(1)", "'@SUM(A1)")


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "arrow"])
def test_an_empty_population_gives_an_empty_file(client, kind):
    answer = client.get("/v1/scores", params={"format": kind, "from": "2030-01-01"})
    assert answer.status_code == 200
    if kind == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(answer.content)).num_rows == 0


def test_parameters_of_an_export_select_days_outlets_and_frames(client):
    for day, outlet in (("2026-03-01", "Post"), ("2026-03-02", "Courier"), ("2026-03-03T23:59:59Z", "Courier")):
        post(client, outlet=outlet, published_at=day, text=f"{THREE_PARAGRAPHS}\n\nThe fair opened on day {day[:10]}.")
    parameters = {
        "format": "ndjson",
        "from": "2026-03-02",
        "to": "2026-03-03",
        "outlet": "Courier",
        "frame": "foreign_hand",
    }
    lines = [json.loads(line) for line in client.get("/v1/scores", params=parameters).text.splitlines()]
    assert [(line["day"], line["paragraph"]) for line in lines] == [
        (f"2026-03-0{d}", p) for d in (2, 3) for p in range(4)
    ]
    assert client.get("/v1/scores?frame=nothing").status_code == 422


@pytest.mark.databases("sqlite")
def test_hundreds_of_thousands_of_scores_are_exported_in_constant_memory(settings):
    data = settings.data_dir
    fill(settings, articles=ROWS // 60, paragraphs=15, progress=lambda _done: None)
    with running_server(data) as (client, process):
        # Load everything that requests need, such as the language detector, before measuring.
        assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).status_code == 200
        assert client.get("/v1/prevalence").status_code == 200
        before = resident_memory(process)
        for kind in ("csv", "parquet"):
            peak, size, newlines = before, 0, 0
            with client.stream("GET", "/v1/scores", params={"format": kind}) as answer:
                for chunk in answer.iter_bytes():
                    size += len(chunk)
                    newlines += chunk.count(b"\n")
                    peak = max(peak, resident_memory(process))
            assert size > 6.6 * ROWS
            assert kind != "csv" or newlines == ROWS // 60 * 60 + 1
            assert peak - before < MAX_GROWTH_MIB
