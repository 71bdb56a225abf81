"""What articles are about, from the request to the charts: answers, lists, populations, exports, views and pages."""

import csv
import io
import json
from dataclasses import replace

import pyarrow.parquet
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from service.app import create_app
from service.store.sql.database import Database
from tests.support.http import fetch
from tests.support.off_topic import text_of, write_base_with_subject
from training.encoder.files import DIGESTS_FILE
from training.registry.model_files import PIPELINE_FILE, SCORER_FILE
from training.registry.versions import Registry

pytestmark = pytest.mark.databases

OFF, ON = 3, 5


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory, codebook):
    return write_base_with_subject(tmp_path_factory.mktemp("base"), codebook)


@pytest.fixture
def answered(tiny):
    with TestClient(create_app(tiny), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def filled(answered):
    """Five articles on the subject and three others, with two paragraphs each; the last two are of another outlet."""
    for number in range(ON + OFF):
        store(answered, number)
    return answered


def store(client, number, **more):
    kind = "random" if number < ON else "other"
    outlet = "Valley Times" if number in (ON - 1, ON + OFF - 1) else "Harbour Post"
    body = {"paragraphs": [text_of(kind, 2 * number), text_of(kind, 2 * number + 1)], "force_language": "en"}
    published = f"2026-03-{2 + number:02}"
    answer = client.post("/v1/articles", json={**body, "outlet": outlet, "published_at": published, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_an_article_says_what_it_is_about_when_it_is_sent_read_and_listed(answered):
    sent = [store(answered, number) for number in (0, ON)]
    assert [answer["article"]["about"] for answer in sent] == ["political violence", "other"]
    assert sent[0]["article"]["about_score"] > 0.5 > sent[1]["article"]["about_score"]
    for explain in ("true", "false"):
        read = [answered.get(f"/v1/articles/{answer['id']}?explain={explain}").json() for answer in sent]
        assert [answer["article"] for answer in read] == [answer["article"] for answer in sent]
    listed = {entry["id"]: entry["article"] for entry in fetch(answered, "/v1/articles")["articles"]}
    assert listed == {answer["id"]: answer["article"] for answer in sent}


def test_classifying_and_storing_agree_on_what_an_article_is_about(answered):
    for number in (1, ON + 1):
        stored = store(answered, number)
        plain = answered.post(
            "/v1/classify", json={"paragraphs": [p["text"] for p in stored["paragraphs"]], "force_language": "en"}
        )
        assert plain.json()["article"] == stored["article"]


def test_paragraphs_of_an_article_about_something_else_are_absent_in_the_answer(answered):
    answer = store(answered, ON)
    assert {frame["decision"] for p in answer["paragraphs"] for frame in p["frames"].values()} == {"absent"}
    assert all("stance" not in frame for p in answer["paragraphs"] for frame in p["frames"].values())


def test_articles_are_listed_by_what_they_are_about(filled):
    names = {
        about: [a["article"]["about"] for a in fetch(filled, "/v1/articles", about=about)["articles"]]
        for about in ("subject", "other")
    }
    assert names == {"subject": ["political violence"] * ON, "other": ["other"] * OFF}
    assert filled.get("/v1/articles?about=sport").status_code == 422


def test_prevalence_counts_all_articles_unless_only_those_on_the_subject_are_wanted(filled):
    everything, on_subject = (fetch(filled, by="", **p) for p in ({}, {"population": "on_subject"}))
    assert (everything["population"], on_subject["population"]) == ("all_articles", "on_subject")
    assert everything["off_topic_articles"] == on_subject["off_topic_articles"] == OFF
    for row, narrow in zip(everything["rows"], on_subject["rows"], strict=True):
        assert (row["population"], narrow["population"]) == ("all_articles", "on_subject")
        assert (row["articles"], narrow["articles"]) == (ON + OFF, ON)
        assert (row["total"], narrow["total"]) == (2 * (ON + OFF), 2 * ON)
        assert row["count"] == narrow["count"]
        assert narrow["raw_share"] * 2 * ON == pytest.approx(row["raw_share"] * 2 * (ON + OFF))
    assert any(row["count"] for row in everything["rows"])


def test_the_cells_of_a_population_leave_out_the_same_articles(filled):
    rows = fetch(filled, by="outlet", population="on_subject")["rows"]
    assert {row["outlet"]: row["articles"] for row in rows} == {"Harbour Post": ON - 1, "Valley Times": 1}
    days = fetch(filled, by="day", population="on_subject")["rows"]
    assert {row["period"] for row in days} == {f"2026-03-{2 + number:02}" for number in range(ON)}
    valley = fetch(filled, by="", outlet="Valley Times", population="on_subject")
    assert valley["off_topic_articles"] == 1


def test_comparisons_and_profiles_name_their_population(filled):
    sides = {"a_outlet": "Harbour Post", "b_outlet": "Valley Times"}
    for population, expected in (("all_articles", (6, 2)), ("on_subject", (ON - 1, 1))):
        compared = fetch(filled, "/v1/compare", population=population, **sides)
        assert compared["population"] == population
        assert {(f["a"]["articles"], f["b"]["articles"]) for f in compared["frames"]} == {expected}
        profile = fetch(filled, "/v1/profile", population=population)
        assert (profile["population"], profile["articles"]) == (population, sum(expected))
        assert profile["off_topic_articles"] == OFF


def test_the_setting_decides_where_the_request_does_not(filled, tiny):
    with TestClient(create_app(replace_setting(tiny, "on_subject"))) as client:
        assert fetch(client, by="")["rows"][0]["articles"] == ON
        assert fetch(client, by="", population="all_articles")["rows"][0]["articles"] == ON + OFF
        assert (
            fetch(client, "/v1/compare", a_outlet="Harbour Post", b_outlet="Valley Times")["population"] == "on_subject"
        )


def test_another_setting_makes_a_remembered_answer_old(filled, tiny):
    etag = filled.get("/v1/prevalence?by=").headers["ETag"]
    assert filled.get("/v1/prevalence?by=", headers={"If-None-Match": etag}).status_code == 304
    with TestClient(create_app(replace_setting(tiny, "on_subject"))) as client:
        answer = client.get("/v1/prevalence?by=", headers={"If-None-Match": etag})
        assert (answer.status_code, answer.json()["population"]) == (200, "on_subject")


def replace_setting(settings, population):
    return settings.model_copy(update={"population": population})


def test_a_model_that_cannot_tell_counts_all_articles_and_says_so(client, settings):
    answer = client.post("/v1/articles", json={"text": "The army moved in and the minister resigned over it."}).json()
    assert "about" not in answer["article"]
    refused = client.get("/v1/prevalence?population=on_subject")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "query/population")
    assert "cannot tell" in refused.json()["detail"]
    for path in ("/v1/compare?a_outlet=A&b_outlet=B&", "/v1/profile?", "/v1/scores?"):
        assert client.get(f"{path}population=on_subject").status_code == 409
    with TestClient(create_app(replace_setting(settings, "on_subject"))) as other:
        answer = fetch(other, by="")
        assert (answer["population"], answer["off_topic_articles"]) == ("all_articles", None)
        assert {row["population"] for row in answer["rows"]} == {"all_articles"}


def test_files_of_shares_name_the_population_in_every_row(filled):
    for population in ("all_articles", "on_subject"):
        address = f"/v1/prevalence?by=outlet&population={population}&format="
        rows = list(csv.DictReader(io.StringIO(filled.get(f"{address}csv").text)))
        assert rows
        assert {row["population"] for row in rows} == {population}
        table = pyarrow.parquet.read_table(io.BytesIO(filled.get(f"{address}parquet").content))
        assert set(table.column("population").to_pylist()) == {population}


def test_exported_scores_say_what_the_article_is_about(filled):
    rows = [json.loads(line) for line in filled.get("/v1/scores?format=ndjson").text.splitlines()]
    assert {(row["about"], row["decision"] == "absent") for row in rows if row["about"] == "other"} == {("other", True)}
    listed = {a["id"]: a["article"] for a in fetch(filled, "/v1/articles")["articles"]}
    assert all(row["about_score"] == listed[row["article_id"]]["about_score"] for row in rows)
    on_subject = [
        json.loads(line) for line in filled.get("/v1/scores?format=ndjson&population=on_subject").text.splitlines()
    ]
    assert {row["population"] for row in on_subject} == {"on_subject"}
    assert {row["population"] for row in rows} == {"all_articles"}
    of_each = {"population", "queried_at"}
    assert [{**row, **dict.fromkeys(of_each)} for row in on_subject] == [
        {**row, **dict.fromkeys(of_each)} for row in rows if row["about"] != "other"
    ]


def test_views_say_what_articles_are_about_and_count_both_populations(filled, tiny):
    database = Database(tiny.store_url)
    with database.read() as connection:
        articles = connection.execute(text("SELECT DISTINCT article_id, about, about_score FROM article_frames")).all()
        paragraphs = connection.execute(text("SELECT DISTINCT article_id, about, about_score FROM frame_scores")).all()
        daily = connection.execute(text("SELECT * FROM prevalence_daily WHERE frame = 'foreign_hand'")).mappings().all()
    database.close()
    assert sorted(map(tuple, articles)) == sorted(map(tuple, paragraphs))
    assert sorted(row.about for row in articles) == ["other"] * OFF + ["political violence"] * ON
    assert sum(row["articles"] for row in daily) == ON + OFF
    assert sum(row["articles_on_subject"] for row in daily) == ON
    assert sum(row["paragraphs_on_subject"] for row in daily) == 2 * ON
    assert sum(row["present_on_subject"] for row in daily) == sum(row["present"] for row in daily)
    assert [row["share_on_subject"] for row in daily if not row["articles_on_subject"]] == [None] * OFF


def test_a_deleted_article_leaves_the_sums_of_its_population(filled):
    for about, expected in (("other", (ON, OFF - 1)), ("subject", (ON - 1, OFF - 1))):
        [identifier, *_] = [a["id"] for a in fetch(filled, "/v1/articles", about=about)["articles"]]
        assert filled.delete(f"/v1/articles/{identifier}").is_success
        answer = fetch(filled, by="", population="on_subject")
        assert (answer["rows"][0]["articles"], answer["off_topic_articles"]) == expected


def test_pages_say_what_an_article_is_about_and_filter_by_it(filled):
    off, on = (fetch(filled, "/v1/articles", about=about)["articles"][0]["id"] for about in ("other", "subject"))
    assert "something else than the subject of the codebook" in filled.get(f"/articles/{off}").text
    assert "something else" not in filled.get(f"/articles/{on}").text
    thresholds = filled.get(f"/articles/{off}").text.split('id="thresholds">')[1].split("</script>")[0]
    limits = [unit for point in json.loads(thresholds).values() for unit in point.values()]
    assert len(limits) == 6  # of paragraphs and of the article, at three operating points
    assert {tuple(pair) for unit in limits for pair in unit.values()} == {(None, 2.0)}
    assert filled.get("/articles?about=other").text.count("· about something else") == OFF
    assert "about something else" not in filled.get("/articles?about=subject").text
    tried = filled.post(
        "/classify", data={"content": "\n\n".join(text_of("other", n, words=60) for n in range(3)), "kind": "text"}
    )
    assert "something else than the subject of the codebook" in tried.text


def test_the_dashboard_asks_for_the_population_that_its_reader_chose(filled):
    plain, narrow = filled.get("/").text, filled.get("/?population=on_subject").text
    assert "population=all_articles" in plain
    assert "population=on_subject" not in plain
    assert narrow.count("population=on_subject") >= 4
    assert "about political violence" in narrow
    assert "about something else" not in narrow.split("Latest articles")[1].split("</section>")[0]


def test_the_dashboard_of_a_model_that_cannot_tell_offers_no_population(client):
    client.post("/v1/articles", json={"text": "The army moved in and the minister resigned over it."})
    page = client.get("/?population=on_subject")
    assert page.status_code == 200
    assert "population" not in page.text


def test_files_scored_in_bulk_agree_with_the_api(filled, framing, tiny, tmp_path):
    stored = [filled.get(f"/v1/articles/{a['id']}").json() for a in fetch(filled, "/v1/articles")["articles"]]
    lines = [
        {"external_id": a["id"], "paragraphs": [p["text"] for p in a["paragraphs"]], "force_language": "en"}
        for a in stored
    ]
    (tmp_path / "articles.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, {"text": ""}]))
    result = framing("score", "articles.jsonl", "--to", "scores", "--format", "jsonl", data_dir=tiny.data_dir)
    assert result.returncode == 0, result.stderr
    [file] = (tmp_path / "scores").glob("part-*.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["about"] for row in rows if row["problem"]] == [None]
    by_article = {a["id"]: a for a in stored}
    scored = [row for row in rows if not row["problem"]]
    assert len(scored) == 2 * (ON + OFF)
    for row in scored:
        article = by_article[row["external_id"]]
        assert (row["about"], row["about_score"]) == (
            article["article"]["about"],
            pytest.approx(article["article"]["about_score"]),
        )
        for frame, decided in article["paragraphs"][row["paragraph"]]["frames"].items():
            assert row[f"{frame}_decision"] == decided["decision"]
            assert (row[f"{frame}_advanced"] is None) == (decided["decision"] == "absent")


def test_rescoring_says_what_articles_are_about(filled, tiny):
    from service.articles.rescoring import Rescoring

    registry = Registry(tiny.models_location)
    before = {a["id"]: a["article"]["about"] for a in fetch(filled, "/v1/articles")["articles"]}
    card, files = registry.card("v1"), registry.files("v1")
    again = registry.adopt(
        replace(card, note="again"), *(files[name] for name in (PIPELINE_FILE, SCORER_FILE, DIGESTS_FILE))
    ).version
    registry.promote(again, by="tests", reason="again")
    database = Database(tiny.store_url)
    rescoring = Rescoring(tiny, database, registry)
    while rescoring.do_some():
        pass
    database.close()
    filled.app.state.services.champion.refresh()
    listed = fetch(filled, "/v1/articles")["articles"]
    assert {a["model"]["version"] for a in listed} == {again}
    assert {a["id"]: a["article"]["about"] for a in listed} == before
    assert fetch(filled, by="", population="on_subject")["rows"][0]["articles"] == ON


def test_an_article_about_something_else_carries_no_frame_at_any_operating_point(filled):
    for point in ("high_precision", "balanced", "high_recall"):
        rows = fetch(filled, by="", unit="article", operating_point=point)["rows"]
        decisions = [
            entry["article"]["frames"]
            for entry in fetch(filled, "/v1/articles", operating_point=point, limit=50)["articles"]
            if entry["article"]["about"] == "other"
        ]
        assert len(decisions) == OFF
        assert {frame["decision"] for frames in decisions for frame in frames.values()} == {"absent"}
        assert {frame["paragraphs"] for frames in decisions for frame in frames.values()} == {0}
        on_subject = fetch(filled, by="", unit="article", operating_point=point, population="on_subject")["rows"]
        assert [row["count"] for row in rows] == [row["count"] for row in on_subject]
