import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow.ipc
import pyarrow.parquet
import pytest
from sqlalchemy import func, select

from service.prevalence.periods import first_day_of, last_day_of
from service.store import daily
from service.store.article_lookup import splits
from service.store.prevalence import Population, annotated_articles, drawn_paragraphs
from service.store.tables import article_scores, daily_frames, scorings
from tests.support.folds import without_fold_models
from tests.support.http import fetch
from tests.support.waiting import wait_until
from training.dataset import fold_of
from training.scoring.frame_model import FrameModel

pytestmark = pytest.mark.databases

MONDAY = date(2026, 3, 2)


@pytest.fixture
def filled(client, corpus):
    """Forty articles of four paragraphs by two outlets over four weeks, with each paragraph of the corpus once."""
    for number in range(40):
        texts = [paragraph.text for paragraph in corpus[number * 4 : number * 4 + 4]]
        store(client, texts, outlet=("Harbour Post", "Valley Times")[number % 2], day=number % 28)
    return client


def store(client, texts, outlet="Harbour Post", day=0, **more):
    published = (MONDAY + timedelta(days=day)).isoformat()
    body = {"paragraphs": texts, "outlet": outlet, "published_at": published, "force_language": "en", **more}
    answer = client.post("/v1/articles", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def code_all(client, corpus, n, coder="mira", whole=False):
    """Annotates the paragraphs of the queue as the corpus does."""
    gold = {p.text: p.annotations[0].frames for p in corpus}
    tasks = client.post("/v1/coding-queue", json={"coder": coder, "n": n, "whole": whole}).json()["tasks"]
    annotations = [
        {
            "coder": coder,
            "article_id": task["article_id"],
            "paragraph": task["paragraph"],
            "frames": dict(gold[task["text"]]),
        }
        for task in tasks
    ]
    assert client.post("/v1/annotations", json=annotations).status_code == 201
    return tasks


def test_each_cell_has_count_total_and_raw_share_of_its_articles(filled):
    rows = fetch(filled, by="outlet,week")["rows"]
    articles = [
        filled.get(f"/v1/articles/{a['id']}").json() for a in filled.get("/v1/articles?limit=200").json()["articles"]
    ]
    assert len(rows) == 4 * 2 * 4
    for row in rows:
        start = date.fromisoformat(row["period"])
        assert start.weekday() == 0
        here = [
            a
            for a in articles
            if a["outlet"] == row["outlet"]
            and start <= date.fromisoformat(a["published_at"][:10]) < start + timedelta(days=7)
        ]
        decisions = [p["frames"][row["frame"]]["decision"] for a in here for p in a["paragraphs"]]
        assert row["total"] == len(decisions)
        assert row["articles"] == len(here)
        assert row["count"] == decisions.count("present")
        assert row["uncertain"] == decisions.count("uncertain")
        assert row["raw_share"] == pytest.approx(row["count"] / row["total"])


def test_articles_are_counted_by_the_frames_of_the_whole_article(filled):
    row = fetch(filled, by="", unit="article", frame="foreign_hand")["rows"][0]
    carrying = filled.get("/v1/articles", params={"frame": "foreign_hand", "limit": 200}).json()["articles"]
    assert (row["count"], row["total"]) == (len(carrying), 40)
    assert row["corrected_share"] is None


def test_articles_drawn_as_a_whole_correct_shares_of_articles_and_of_paragraphs(filled, corpus):
    drawn = set()
    for _ in range(4):
        tasks = code_all(filled, corpus, 100, coder="whole", whole=True)
        articles = {task["article_id"] for task in tasks}
        assert len(articles) == 10
        assert len(tasks) == 4 * 10
        assert not articles & drawn
        drawn |= articles
    for row in fetch(filled, by="", unit="article")["rows"]:
        carrying = [any(row["frame"] in p.annotations[0].frames for p in corpus[n * 4 : n * 4 + 4]) for n in range(40)]
        assert (row["correction"], row["annotations"]) == ("annotations", 40)
        assert row["corrected_share"] == pytest.approx(np.mean(carrying), abs=0.02)
        assert row["low"] < row["corrected_share"] < row["high"]
    rows = fetch(filled, by="")["rows"]
    assert {(row["correction"], row["annotations"]) for row in rows} == {("annotations", 160)}


def whole_articles(client):
    """The number of annotated articles that correct the shares of articles."""
    (number,) = {row["annotations"] for row in fetch(client, by="", unit="article")["rows"]}
    return number


def test_an_article_of_which_paragraphs_were_drawn_before_is_drawn_as_a_whole_without_these(filled, corpus):
    before = {(task["article_id"], task["paragraph"]) for task in code_all(filled, corpus, 60)}
    assert whole_articles(filled) == 0
    for drawn in (10, 20, 30, 40):
        tasks = code_all(filled, corpus, 100, coder="whole", whole=True)
        assert not before & {(task["article_id"], task["paragraph"]) for task in tasks}
        assert whole_articles(filled) == drawn


def test_an_article_whose_paragraphs_are_all_coded_corrects_shares_of_articles_once_it_is_drawn(filled, corpus):
    code_all(filled, corpus, 160)
    assert whole_articles(filled) == 0
    queue = {"coder": "mira", "n": 100, "whole": True}
    assert filled.post("/v1/coding-queue", json=queue).json()["tasks"] == []
    assert whole_articles(filled) == 10


def test_an_article_that_is_not_coded_to_the_end_does_not_correct_shares_of_articles(filled, corpus):
    tasks = code_all(filled, corpus, 2, coder="whole", whole=True)
    assert len(tasks) == 2
    assert {row["annotations"] for row in fetch(filled, by="", unit="article")["rows"]} == {0}
    assert {row["annotations"] for row in fetch(filled, by="")["rows"]} == {2}


def test_a_row_with_too_few_annotations_has_the_number_of_further_annotations_needed(filled):
    for row in fetch(filled, by="month")["rows"]:
        assert row["correction"] == "too_few_annotations"
        assert row["corrected_share"] is row["low"] is row["high"] is None
        assert row["annotations_needed"] >= 30
    narrow = fetch(filled, by="month", width=0.05)["rows"][0]["annotations_needed"]
    assert narrow > 4 * fetch(filled, by="month", width=0.2)["rows"][0]["annotations_needed"]


def test_annotations_from_the_queue_correct_the_share_and_its_interval_covers_the_gold_labels(filled, corpus):
    code_all(filled, corpus, 80)
    answer = fetch(filled, by="")
    assert answer["estimator"]["name"].startswith("PPI++")
    assert any("arXiv:2311.01453" in reference for reference in answer["estimator"]["literature"])
    used = corpus[:160]
    for row in answer["rows"]:
        truth = np.mean([row["frame"] in p.annotations[0].frames for p in used])
        assert row["correction"] == "annotations"
        assert row["annotations"] > 60
        assert row["low"] - 0.03 <= truth <= row["high"] + 0.03
        assert row["low"] <= row["corrected_share"] <= row["high"]
        assert row["high"] - row["low"] < 0.3
    off = fetch(filled, by="", correct="false")["rows"][0]
    assert off["correction"] == "off"
    assert off["corrected_share"] is None


def test_cells_with_few_annotations_borrow_only_on_request(filled, corpus):
    code_all(filled, corpus, 80)
    alone = fetch(filled, by="outlet,week")["rows"]
    borrowed = fetch(filled, by="outlet,week", borrow="true")["rows"]
    assert {row["correction"] for row in alone} == {"too_few_annotations"}
    assert {row["correction"] for row in borrowed} == {"borrowed"}
    assert all(row["low"] <= row["corrected_share"] <= row["high"] for row in borrowed)


def test_annotations_of_chosen_paragraphs_correct_nothing(filled, corpus):
    article = filled.get("/v1/articles").json()["articles"][0]["id"]
    annotation = {"coder": "mira", "article_id": article, "paragraph": 0, "frames": {}}
    assert filled.post("/v1/annotations", json=annotation).status_code == 201
    assert fetch(filled, by="")["rows"][0]["annotations"] == 0


def test_annotations_correct_a_model_that_was_trained_on_them_by_scores_of_models_that_were_not(
    filled, corpus, registry, challenger
):
    tasks = code_all(filled, corpus, 40)
    trained = replace(challenger, card=replace(challenger.card, run="0" * 32, created_at="2100-01-01T00:00:00+00:00"))
    model = FrameModel.of(trained.pipeline, trained.card)
    registry.promote(registry.register(trained).version, by="test", reason="trained on these annotations", force=True)
    wait_for_version(filled, "v2")
    rescore(filled)
    answer = fetch(filled, by="")
    assert answer["annotations_not_used"] == 0
    assert answer["rows"][0]["annotations"] == len(tasks)
    frame = answer["rows"][0]["frame"]
    population = Population("v2", model.frames)
    with filled.app.state.services.database.read() as connection:
        drawn = drawn_paragraphs(connection, population)
        of_articles = {article.id: article for article in annotated_articles(connection, population)}
        texts = splits(connection, [paragraph.article_id for paragraph in drawn])
    assert len(drawn) == len(tasks)
    for paragraph in drawn:
        own, of_folds = texts[paragraph.article_id].paragraphs, fold_of(paragraph.article_id)
        folds = model.score_with_stances([part.text for part in own]).folds[:, :, model.frames.index(frame)]
        assert paragraph.scores[frame] == pytest.approx(folds[paragraph.paragraph, of_folds])
        cross = of_articles[paragraph.article_id].scores[frame]
        assert cross.mean_score == pytest.approx(folds.mean())
        assert cross.left_out_mean_score == pytest.approx(folds[:, of_folds].mean())


def test_the_daily_sums_hold_the_scores_of_the_fold_models_on_average(filled, registry, challenger):
    trained = replace(challenger, card=replace(challenger.card, run="0" * 32))
    registry.promote(registry.register(trained).version, by="test", reason="has fold models", force=True)
    wait_for_version(filled, "v2")
    rescore(filled)
    database = filled.app.state.services.database
    with database.write() as connection:
        before = sorted(connection.execute(select(daily_frames)).all())
        daily.rebuild(connection)
        after = sorted(connection.execute(select(daily_frames)).all())
        total = func.sum(article_scores.c.cross_mean_score * scorings.c.paragraphs)
        by_model = select(total).select_from(article_scores).join(scorings).where(scorings.c.model_version == "v2")
        mean = connection.scalar(by_model)
    assert [row[:6] for row in before] == [row[:6] for row in after]
    assert [row[6:] for row in before] == [pytest.approx(row[6:]) for row in after]
    score = daily_frames.columns.keys().index("score")
    assert sum(row[score] for row in before if row.model_version == "v2") == pytest.approx(mean)


def test_paragraphs_on_which_a_model_without_fold_models_was_trained_correct_nothing(
    filled, corpus, registry, challenger
):
    tasks = code_all(filled, corpus, 40)
    plain = without_fold_models(challenger)
    trained = replace(plain, card=replace(plain.card, run="0" * 32, created_at="2100-01-01T00:00:00+00:00"))
    registry.promote(registry.register(trained).version, by="test", reason="trained on these annotations", force=True)
    wait_for_version(filled, "v2")
    answer = fetch(filled, by="")
    assert answer["unscored_articles"] == 40
    assert answer["rows"] == []
    rescore(filled)
    answer = fetch(filled, by="")
    assert answer["unscored_articles"] == 0
    used = answer["rows"][0]["annotations"]
    assert answer["annotations_not_used"] + used == len(tasks)
    assert used < len(tasks) / 2
    exported = csv.DictReader(io.StringIO(filled.get("/v1/scores?frame=foreign_hand").text))
    labelled = [row["corrects"] for row in exported if row["label"]]
    assert (len(labelled), labelled.count("True")) == (len(tasks), used)


def wait_for_version(client, version):
    wait_until(lambda: client.app.state.services.champion.version() == version, "the new champion")


def rescore(client):
    from service.articles.rescoring import Rescoring

    services = client.app.state.services
    rescoring = Rescoring(services.settings, services.database, services.registry)
    while rescoring.do_some():
        pass


def test_weights_make_each_article_or_each_outlet_count_the_same(client):
    blame = "The government ignored repeated warnings and failed to protect the province; no minister has resigned."
    calm = "The market reopened on Monday and the road to the coast was cleared of snow by noon, the mayor said."
    store(client, [blame], outlet="Harbour Post")
    store(client, [calm] * 3, outlet="Harbour Post", title="calm")
    store(client, [calm, calm, blame, calm], outlet="Valley Times")
    frame = "blame_on_leadership"
    shares = {
        w: fetch(client, by="", frame=frame, weight=w)["rows"][0]["raw_share"] for w in ("unit", "article", "outlet")
    }
    assert shares["unit"] == pytest.approx(2 / 8)
    assert shares["article"] == pytest.approx((1 + 0 + 1 / 4) / 3)
    assert shares["outlet"] == pytest.approx((1 / 4 + 1 / 4) / 2)


def test_wire_copy_is_counted_once_on_demand_even_after_its_first_copy_is_deleted(client, corpus):
    story = [paragraph.text for paragraph in corpus[:8]]
    first = store(client, story, outlet="Harbour Post")
    store(client, [*story[:7], "Additional reporting by our own staff in the capital."], outlet="Valley Times", day=1)
    store(client, [paragraph.text for paragraph in corpus[20:26]], outlet="Valley Times", day=2)

    def articles(**more):
        return {
            row["outlet"]: row["articles"] for row in fetch(client, by="outlet", frame="foreign_hand", **more)["rows"]
        }

    assert articles() == {"Harbour Post": 1, "Valley Times": 2}
    assert articles(dedup="true") == {"Harbour Post": 1, "Valley Times": 1}
    assert client.delete(f"/v1/articles/{first['id']}").is_success
    assert articles() == articles(dedup="true") == {"Valley Times": 2}
    store(client, story, outlet="Harbour Post", day=3)
    assert articles(dedup="true") == {"Valley Times": 2}


def test_parameters_select_days_outlets_and_frames(filled):
    assert {row["frame"] for row in fetch(filled, frame="foreign_hand")["rows"]} == {"foreign_hand"}
    assert {row["outlet"] for row in fetch(filled, by="outlet", outlet="Valley Times")["rows"]} == {"Valley Times"}
    days = fetch(filled, by="day", frame="foreign_hand", from_="2026-03-03", to="2026-03-05")["rows"]
    assert [row["period"] for row in days] == ["2026-03-03", "2026-03-04", "2026-03-05"]
    months = fetch(filled, by="month", frame="foreign_hand")["rows"]
    assert [(row["period"], row["articles"]) for row in months] == [("2026-03-01", 40)]
    assert fetch(filled, by="year", frame="foreign_hand")["rows"][0]["period"] == "2026-01-01"


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"by": "colour"}, "query/by"),
        ({"by": "week,month"}, "query/by"),
        ({"frame": "no_such_frame"}, "query/frame"),
        ({"from": "yesterday"}, "query/from"),
        ({"width": "0"}, "query/width"),
        ({"format": "xlsx"}, "query/format"),
        ({"unit": "sentence"}, "query/unit"),
    ],
)
def test_an_error_names_the_bad_parameter(client, parameters, pointer):
    answer = client.get("/v1/prevalence", params=parameters)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_an_empty_store_gives_an_empty_answer(client):
    assert fetch(client)["rows"] == []
    assert fetch(client, "/v1/profile")["articles"] == 0


def test_every_format_holds_the_same_rows(filled):
    rows = fetch(filled, by="outlet,week")["rows"]
    read = {
        "csv": lambda content: list(csv.DictReader(io.StringIO(content.decode()))),
        "parquet": lambda content: pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist(),
        "arrow": lambda content: pyarrow.ipc.open_stream(content).read_all().to_pylist(),
    }
    for name, rows_of in read.items():
        answer = filled.get("/v1/prevalence", params={"by": "outlet,week", "format": name})
        read_rows = rows_of(answer.content)
        assert [
            (str(r["period"]), r["outlet"], r["frame"], int(r["count"]), float(r["raw_share"])) for r in read_rows
        ] == [(r["period"], r["outlet"], r["frame"], r["count"], r["raw_share"]) for r in rows]
        assert f'filename="prevalence_by-outlet-week_corrected.{name}"' in answer.headers["content-disposition"]


@pytest.mark.databases("sqlite")
def test_every_row_of_a_file_says_where_it_comes_from(filled, corpus):
    code_all(filled, corpus, 100)
    parameters = {"by": "outlet,month", "weight": "article", "dedup": "true"}
    before = datetime.now(UTC)
    answer = fetch(filled, **parameters)
    assert before <= datetime.fromisoformat(answer["queried_at"]) <= datetime.now(UTC)
    content = filled.get("/v1/prevalence", params={**parameters, "format": "parquet"}).content
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    rows = table.to_pylist()
    assert len(rows) == len(answer["rows"])
    for name in ("model_version", "codebook_version", "unit", "weight", "dedup", "population", "confidence"):
        assert {row[name] for row in rows} == {answer[name]}, name
    corrected = [row for row in rows if row["corrected_share"] is not None]
    assert {row["estimator"] for row in corrected} == {answer["estimator"]["name"]}
    assert {row["estimator"] for row in rows if row["corrected_share"] is None} <= {None}
    assert len({row["queried_at"] for row in rows}) == 1
    types = {field.name: str(field.type) for field in table.schema}
    shares = ("raw_share", "corrected_share", "low", "high", "standard_error", "tuning", "confidence", "advanced_low")
    assert {types[name] for name in shares} == {"double"}
    assert {types[name] for name in ("period", "first_day", "last_day")} == {"date32[day]"}
    lines = filled.get("/v1/prevalence", params={**parameters, "format": "csv"}).text
    assert "%" not in lines
    assert list(csv.DictReader(io.StringIO(lines)).fieldnames) == table.column_names


@pytest.mark.databases("sqlite")
def test_the_estimator_of_a_borrowed_share_is_another(filled, corpus):
    code_all(filled, corpus, 80)
    parameters = {"by": "outlet,week", "borrow": "true", "format": "csv"}
    rows = list(csv.DictReader(io.StringIO(filled.get("/v1/prevalence", params=parameters).text)))
    assert {row["correction"] for row in rows} == {"borrowed"}
    assert {row["estimator"].partition(":")[0] for row in rows} == {"synthetic"}


def test_rows_have_the_first_and_last_day_of_their_period_as_far_as_the_question_reaches(filled):
    def days(**parameters):
        rows = fetch(filled, frame="foreign_hand", **parameters)["rows"]
        return [(row["period"], row["first_day"], row["last_day"]) for row in rows]

    assert days(by="month") == [("2026-03-01", "2026-03-01", "2026-03-31")]
    assert days(by="year") == [("2026-01-01", "2026-01-01", "2026-12-31")]
    assert days(by="week")[0] == ("2026-03-02", "2026-03-02", "2026-03-08")
    assert days(by="day")[0] == ("2026-03-02", "2026-03-02", "2026-03-02")
    assert days(by="") == [(None, "2026-03-02", "2026-03-29")]
    assert days(by="week", from_="2026-03-04", to="2026-03-10") == [
        ("2026-03-02", "2026-03-04", "2026-03-08"),
        ("2026-03-09", "2026-03-09", "2026-03-10"),
    ]
    assert days(by="", from_="2026-01-01", to="2026-12-31") == [(None, "2026-01-01", "2026-12-31")]
    profile = fetch(filled, "/v1/profile", to="2026-03-05")
    assert {(row["first_day"], row["last_day"]) for row in profile["frames"]} == {("2026-03-02", "2026-03-05")}
    compared = fetch(filled, "/v1/compare", a_to="2026-03-15", b_from="2026-03-16")
    sides = {side: compared["frames"][0][side] for side in "ab"}
    assert (sides["a"]["first_day"], sides["a"]["last_day"]) == ("2026-03-02", "2026-03-15")
    assert (sides["b"]["first_day"], sides["b"]["last_day"]) == ("2026-03-16", "2026-03-29")


def test_comparisons_and_profiles_say_where_they_come_from_too(filled):
    profile = fetch(filled, "/v1/profile", unit="article")
    compared = fetch(filled, "/v1/compare", a_outlet="Harbour Post", b_outlet="Valley Times", unit="article")
    for answer in (profile, compared):
        assert (answer["model_version"], answer["codebook_version"], answer["unit"]) == ("v1", 2, "article")
        assert (answer["weight"], answer["dedup"], answer["confidence"]) == ("unit", False, 0.95)
        assert answer["estimator"]["name"].startswith("PPI++")
        assert datetime.fromisoformat(answer["queried_at"]).utcoffset() == timedelta(0)


@pytest.mark.databases("sqlite")
def test_without_by_the_answer_is_by_week_and_the_documentation_says_so(filled):
    assert fetch(filled)["rows"] == fetch(filled, by="week")["rows"]
    described = {
        entry["name"]: entry
        for entry in filled.get("/openapi.json").json()["paths"]["/v1/prevalence"]["get"]["parameters"]
    }
    assert described["by"]["schema"]["default"] == "week"
    assert "`week` if it is left out" in described["by"]["description"]


@pytest.mark.databases("sqlite")
def test_the_whole_of_a_store_that_grew_while_it_was_coded_counts_each_part_by_its_size(filled, corpus):
    code_all(filled, corpus, 100)
    for number in range(40, 120):
        store(filled, [paragraph.text for paragraph in corpus[number * 4 : number * 4 + 4]], day=100 + number)
    code_all(filled, corpus, 100, coder="tomas")
    with filled.app.state.services.database.read() as connection:
        population = Population("v1", ("foreign_hand",))
        drawn = drawn_paragraphs(connection, population)
    early = [paragraph.inclusion.weight for paragraph in drawn if paragraph.day < MONDAY + timedelta(days=100)]
    late = [paragraph.inclusion.weight for paragraph in drawn if paragraph.day >= MONDAY + timedelta(days=100)]
    assert sum(early) == pytest.approx(160, rel=0.2)
    assert sum(late) == pytest.approx(320, rel=0.3)


def test_an_unchanged_answer_is_not_sent_again(filled, corpus):
    first = filled.get("/v1/prevalence?by=week")
    again = filled.get("/v1/prevalence?by=week", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = filled.get("/v1/prevalence?by=month", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    last = filled.get("/v1/articles").json()["articles"][0]["id"]
    filled.delete(f"/v1/articles/{last}")
    changed = filled.get("/v1/prevalence?by=week", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    annotation = {"coder": "mira", "text": "A text that is not stored.", "source": "desk", "frames": {}}
    filled.post("/v1/annotations", json=annotation)
    coded = filled.get("/v1/prevalence?by=week", headers={"If-None-Match": changed.headers["etag"]})
    assert coded.status_code == 200


def test_two_outlets_are_compared_with_an_interval(filled, corpus):
    raw = fetch(filled, "/v1/compare", a_outlet="Harbour Post", b_outlet="Valley Times")
    for frame in raw["frames"]:
        assert frame["difference"]["corrected"] is None
        assert frame["difference"]["raw"] == pytest.approx(frame["a"]["raw_share"] - frame["b"]["raw_share"])
    code_all(filled, corpus, 100)
    answer = fetch(filled, "/v1/compare", a_outlet="Harbour Post", b_outlet="Valley Times")
    for frame in answer["frames"]:
        assert frame["a"]["total"] == frame["b"]["total"] == 80
        difference = frame["difference"]
        assert difference["low"] < difference["corrected"] < difference["high"]
        assert difference["corrected"] == pytest.approx(frame["a"]["corrected_share"] - frame["b"]["corrected_share"])


def test_two_periods_are_compared_and_overlapping_sets_are_rejected(filled):
    periods = {"a_to": "2026-03-15", "b_from": "2026-03-16"}
    assert sum(fetch(filled, "/v1/compare", **periods)["frames"][0][side]["articles"] for side in "ab") == 40
    for parameters in ({}, {"a_outlet": "Harbour Post"}, {"a_to": "2026-03-16", "b_from": "2026-03-16"}):
        answer = filled.get("/v1/compare", params=parameters)
        assert answer.status_code == 422
        assert answer.json()["type"].endswith(":overlap")


def test_a_profile_counts_the_paragraphs_that_frames_share(filled):
    profile = fetch(filled, "/v1/profile")
    assert (profile["articles"], profile["paragraphs"]) == (40, 160)
    listed = filled.get("/v1/articles?limit=200").json()["articles"]
    paragraphs = [p for a in listed for p in filled.get(f"/v1/articles/{a['id']}").json()["paragraphs"]]
    assert len(profile["pairs"]) == 6
    assert sum(pair["paragraphs"] for pair in profile["pairs"]) > 0
    for pair in profile["pairs"]:
        both = [
            p
            for p in paragraphs
            if p["frames"][pair["frame"]]["decision"] == p["frames"][pair["other"]]["decision"] == "present"
        ]
        assert pair["paragraphs"] == len(both)
        assert pair["share"] == pytest.approx(len(both) / 160)


@pytest.mark.parametrize("day", ["5", "-5", "1.5", "-1.78e-102", "1e5", "yesterday", "2026-3-1"])
def test_a_number_is_not_a_day(client, day):
    for name in ("from", "to"):
        assert client.get("/v1/prevalence", params={name: day}).status_code == 422


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("period", ["day", "week", "month", "year"])
def test_the_first_and_the_last_day_there_are_lie_in_periods(day, period):
    day = date.fromisoformat(day)
    start = first_day_of(day, period)
    assert start <= day <= last_day_of(start, period)


@pytest.mark.databases("sqlite")
def test_a_period_that_ends_before_it_begins_is_refused_and_names_its_end(filled):
    def fault(path, **parameters):
        answer = filled.get(path, params=parameters)
        assert answer.status_code == 422, (path, answer.text)
        problem = answer.json()
        return problem["errors"][0]["pointer"], problem["detail"]

    backwards = {"from": "2026-03-09", "to": "2026-03-02"}
    for path in ("/v1/prevalence", "/v1/profile", "/v1/articles", "/v1/scores"):
        place, detail = fault(path, **backwards)
        assert place == "query/to", path
        assert detail == "The period ends on 2026-03-02 before it begins on 2026-03-09."
    assert fault("/v1/articles", **{"from": "2026-03-02", "to": "2026-03-01"})[0] == "query/to"
    sides = {"a_from": "2026-03-09", "a_to": "2026-03-02", "b_from": "2026-03-10"}
    assert fault("/v1/compare", **sides)[0] == "query/a_to"
    assert fetch(filled, from_="2026-03-02", to="2026-03-02", by="")["rows"]


@pytest.mark.databases("sqlite")
def test_cells_that_are_unknown_are_refused_with_those_that_are_known(filled):
    for by in ("moon", "week,month", "outlet,outlet", "week,"):
        problem = filled.get("/v1/prevalence", params={"by": by}).json()
        assert problem["status"] == 422, by
        assert "outlet, a period (day, week, month, year), or both with a comma" in str(problem["errors"]), problem


@pytest.mark.databases("sqlite")
def test_every_row_of_a_table_says_how_many_articles_wait_to_be_scored(filled):
    lines = filled.get("/v1/prevalence", params={"by": "outlet", "format": "csv"}).text
    assert {row["unscored_articles"] for row in csv.DictReader(io.StringIO(lines))} == {"0"}
