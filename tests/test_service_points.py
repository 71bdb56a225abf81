"""Prevalence, exports and lists at an operating point that the reader chooses."""

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from tests.support.http import fetch
from training.scoring.operating_points import OPERATING_POINTS

pytestmark = pytest.mark.databases

MONDAY = date(2026, 3, 2)


@pytest.fixture(params=["decides on articles", "decides on paragraphs alone"])
def client_of_a_model(request, settings, registry, challenger):
    """A client of a service whose model has cuts of articles, and of another with a card of earlier versions."""
    if request.param == "decides on paragraphs alone":
        earlier = replace(challenger, card=replace(challenger.card, article=None))
        registry.promote(registry.register(earlier).version, by="tests", reason="a card of earlier versions")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def filled(client_of_a_model, corpus):
    """Twelve articles of three paragraphs by two outlets over two weeks, stored at all three points."""
    store_articles(client_of_a_model, corpus)
    return client_of_a_model


def store_articles(client, corpus, articles=12):
    for number in range(articles):
        body = {
            "paragraphs": [paragraph.text for paragraph in corpus[number * 3 : number * 3 + 3]],
            "outlet": ("Harbour Post", "Valley Times")[number % 2],
            "published_at": (MONDAY + timedelta(days=number)).isoformat(),
            "force_language": "en",
            "operating_point": OPERATING_POINTS[number % 3],
        }
        answer = client.post("/v1/articles", json=body)
        assert answer.status_code == 201, answer.text


def classified_at(client, corpus, point):
    """What the service answers to the same articles at an operating point: outlet and answer of each."""
    for number in range(12):
        texts = [paragraph.text for paragraph in corpus[number * 3 : number * 3 + 3]]
        body = {"paragraphs": texts, "force_language": "en", "operating_point": point, "explain": False}
        yield ("Harbour Post", "Valley Times")[number % 2], client.post("/v1/classify", json=body).json()


def present(decided):
    return {frame for frame, answer in decided.items() if answer["decision"] == "present"}


@pytest.mark.parametrize("point", OPERATING_POINTS)
def test_shares_at_a_point_are_those_of_articles_classified_at_it(filled, corpus, point):
    answers = list(classified_at(filled, corpus, point))
    for unit in ("paragraph", "article"):
        answer = fetch(filled, by="outlet", unit=unit, operating_point=point)
        assert answer["operating_point"] == point
        for row in answer["rows"]:
            of_outlet = [answer for outlet, answer in answers if outlet == row["outlet"]]
            decided = [answer["article"]["frames"] for answer in of_outlet]
            if unit == "paragraph":
                decided = [paragraph["frames"] for answer in of_outlet for paragraph in answer["paragraphs"]]
            decisions = [frames[row["frame"]]["decision"] for frames in decided]
            assert (row["count"], row["uncertain"]) == (decisions.count("present"), decisions.count("uncertain"))
            assert row["raw_share"] == pytest.approx(decisions.count("present") / len(decisions))


def test_shares_at_a_point_have_the_same_cells_and_add_up_over_periods(filled):
    whole = {row["frame"]: row["count"] for row in fetch(filled, by="", operating_point="high_recall")["rows"]}
    for by in ("day", "week", "month", "outlet,week"):
        stored, decided = fetch(filled, by=by)["rows"], fetch(filled, by=by, operating_point="high_recall")["rows"]
        cell = ("period", "outlet", "frame", "total", "articles")
        assert [[row[name] for name in cell] for row in stored] == [[row[name] for name in cell] for row in decided]
        assert {f: sum(row["count"] for row in decided if row["frame"] == f) for f in whole} == whole


def test_each_point_calls_more_or_fewer_paragraphs_present_and_without_any_each_article_keeps_its_own(filled, corpus):
    counts = {
        point: sum(row["count"] for row in fetch(filled, by="", operating_point=point)["rows"])
        for point in OPERATING_POINTS
    }
    assert counts["high_precision"] < counts["balanced"] < counts["high_recall"]
    stored = fetch(filled, by="")
    assert stored["operating_point"] is None
    stored_at = [
        list(classified_at(filled, corpus, point))[number][1]
        for number in range(12)
        for point in [OPERATING_POINTS[number % 3]]
    ]
    carried = sum(len(present(paragraph["frames"])) for answer in stored_at for paragraph in answer["paragraphs"])
    assert sum(row["count"] for row in stored["rows"]) == carried


def test_stances_at_a_point_are_those_of_the_paragraphs_that_it_calls_present(filled, corpus):
    sums = {}
    for _, answer in classified_at(filled, corpus, "high_precision"):
        for paragraph in answer["paragraphs"]:
            for frame in present(paragraph["frames"]):
                for stance, value in paragraph["frames"][frame]["stances"].items():
                    sums.setdefault(frame, {}).setdefault(stance, []).append(value)
    rows = fetch(filled, by="", operating_point="high_precision")["rows"]
    assert sums
    for row in rows:
        expected = {stance: sum(values) for stance, values in sums.get(row["frame"], {}).items()}
        assert (row["stances"] is None) == (not expected)
        for stance, value in expected.items():
            assert row["stances"][stance]["share"] == pytest.approx(value / sum(expected.values()))


@pytest.mark.parametrize("point", ["balanced", "high_recall", None])
def test_frames_that_occur_together_are_counted_in_paragraphs_and_in_articles(filled, corpus, point):
    stored_at = [list(classified_at(filled, corpus, each)) for each in OPERATING_POINTS] if point is None else []
    answers = (
        [stored_at[number % 3][number] for number in range(12)] if stored_at else classified_at(filled, corpus, point)
    )
    articles = [answer for _, answer in answers]
    units = {
        "article": [present(answer["article"]["frames"]) for answer in articles],
        "paragraph": [present(paragraph["frames"]) for answer in articles for paragraph in answer["paragraphs"]],
    }
    at_point = {} if point is None else {"operating_point": point}
    for unit, carried in units.items():
        profile = fetch(filled, "/v1/profile", unit=unit, **at_point)
        frames = [row["frame"] for row in profile["frames"]]
        assert [(pair["frame"], pair["other"]) for pair in profile["pairs"]] == list(combinations(frames, 2))
        for pair in profile["pairs"]:
            both = {pair["frame"], pair["other"]}
            assert pair["count"] == sum(both <= of_unit for of_unit in carried)
            assert pair["paragraphs"] == sum(both <= paragraph for paragraph in units["paragraph"])
            assert pair["share"] == pytest.approx(pair["count"] / len(carried))
            first, second = (sum(frame in of_unit for of_unit in carried) for frame in (pair["frame"], pair["other"]))
            lift = pair["count"] * len(carried) / (first * second) if first and second else None
            assert pair["lift"] == (None if lift is None else pytest.approx(lift))
        assert sum(pair["count"] for pair in profile["pairs"]) > 0


def test_every_export_has_the_decisions_at_the_point_and_names_it(filled, corpus):
    answers = [answer for _, answer in classified_at(filled, corpus, "high_precision")]
    parameters = {"by": "week", "operating_point": "high_precision"}
    rows = fetch(filled, **parameters)["rows"]
    table = list(csv.DictReader(io.StringIO(filled.get("/v1/prevalence", params={**parameters, "format": "csv"}).text)))
    assert [int(row["count"]) for row in table] == [row["count"] for row in rows]
    assert {row["operating_point"] for row in table} == {"high_precision"}
    scores = filled.get("/v1/scores", params={"operating_point": "high_precision"}).text
    exported = list(csv.DictReader(io.StringIO(scores)))
    assert [row["decision"] for row in exported] == [
        paragraph["frames"][frame]["decision"]
        for answer in answers
        for paragraph in answer["paragraphs"]
        for frame in sorted(paragraph["frames"])
    ]
    assert {row["operating_point"] for row in exported} == {"high_precision"}
    assert all(not row["stance"] and not row["advanced"] for row in exported if row["decision"] == "absent")
    stored = csv.DictReader(io.StringIO(filled.get("/v1/scores").text))
    assert {row["operating_point"] for row in stored} == set(OPERATING_POINTS)


@pytest.mark.parametrize("decision", ["present", "uncertain", "absent"])
def test_articles_are_listed_with_the_decisions_at_the_point(filled, corpus, decision):
    for point in OPERATING_POINTS:
        answers = [answer["article"]["frames"] for _, answer in classified_at(filled, corpus, point)][::-1]
        listed = fetch(filled, "/v1/articles", operating_point=point)["articles"]
        assert [entry["article"]["frames"].keys() for entry in listed] == [frames.keys() for frames in answers]
        for entry, frames in zip(listed, answers, strict=True):
            for frame, listed_frame in entry["article"]["frames"].items():
                names = ("decision", "paragraphs")
                assert [listed_frame[name] for name in names] == [frames[frame][name] for name in names]
                assert listed_frame["share"] == pytest.approx(frames[frame]["share"])
        question = {"operating_point": point, "decision": decision, "frame": "foreign_hand"}
        matching = fetch(filled, "/v1/articles", **question)["articles"]
        decided = [frames["foreign_hand"]["decision"] for frames in answers]
        assert len(matching) == decided.count(decision)
        assert all(entry["article"]["frames"]["foreign_hand"]["decision"] == decision for entry in matching)


def test_corrected_shares_are_the_same_at_every_point(client, corpus):
    store_articles(client, corpus, articles=20)
    gold = {paragraph.text: dict(paragraph.annotations[0].frames) for paragraph in corpus}
    tasks = client.post("/v1/coding-queue", json={"coder": "mira", "n": 50}).json()["tasks"]
    body = [
        {"coder": "mira", "article_id": t["article_id"], "paragraph": t["paragraph"], "frames": gold[t["text"]]}
        for t in tasks
    ]
    assert client.post("/v1/annotations", json=body).status_code == 201
    corrected = [
        [(row["corrected_share"], row["low"], row["high"]) for row in fetch(client, by="", **at)["rows"]]
        for at in ({}, *({"operating_point": point} for point in OPERATING_POINTS))
    ]
    assert all(share is not None for share, _, _ in corrected[0])
    assert all(shares == corrected[0] for shares in corrected)


def test_an_unknown_point_is_refused_by_name(client):
    for path in ("/v1/prevalence", "/v1/profile", "/v1/scores", "/v1/articles"):
        answer = client.get(path, params={"operating_point": "perfect"})
        assert answer.status_code == 422
        assert "operating_point" in answer.text
