"""Stances: learned, calibrated, answered, stored and charted."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from labels.annotations import SPECIFIED_STANCES, Annotation, CodedParagraph
from labels.gold import settle
from service.store import daily
from service.store.sql.database import Database
from training.challenger import train_challenger
from training.dataset import build_dataset
from training.scoring.frame_model import FrameModel
from training.stances import evaluate_stances, fit_calibration

ADVANCED = "The government failed: it ignored every warning and abandoned the province to the gunmen."
REPORTED = (
    "Opposition leaders accused the government of having ignored warnings, and said that ministers had failed to "
    "protect the province."
)
CONTESTED = (
    "It is a convenient myth that a foreign hand is behind the unrest; no neighbour armed these young men, and blaming "
    "foreign agents is an excuse."
)
ACCUSED = "Officials accused the neighbouring state of arming and training the gunmen through its intelligence service."


def test_stances_are_recognised_on_sources_left_out_far_better_than_by_the_commonest(challenger):
    figures = challenger.card.stances_left_out
    assert figures.overall.macro.f1.low > figures.majority.macro.f1.high + 0.2
    assert figures.overall.ece < 0.05
    assert set(figures.frames) == set(challenger.card.frames)
    assert challenger.card.stances == SPECIFIED_STANCES == ("advanced", "reported", "contested")


def test_stance_scores_of_a_frame_add_up_to_1_and_do_not_move_the_frame(challenger, corpus, codebook):
    texts = [paragraph.text for paragraph in corpus[:100]]
    scored = FrameModel.of(challenger.pipeline, challenger.card).score_with_stances(texts)
    assert scored.stances.shape == (100, 4, 3)
    assert np.allclose(scored.stances.sum(axis=2), 1)
    silent = [replace(p, annotations=tuple(map(without_stances, p.annotations))) for p in corpus]
    assert build_dataset(silent, codebook).stances.max() == -1


def without_stances(annotation):
    return Annotation(annotation.coder, dict.fromkeys(annotation.frames, "present"))


def test_a_model_of_annotations_without_stances_returns_no_stances(corpus, codebook):
    silent = [replace(p, annotations=tuple(map(without_stances, p.annotations))) for p in corpus[::4]]
    challenger = train_challenger(silent, codebook)
    assert (challenger.card.stances, challenger.card.stances_left_out) == ((), None)
    scored = FrameModel.of(challenger.pipeline, challenger.card).score_with_stances([ADVANCED])
    assert scored.stances.shape == (1, 4, 0)


def test_the_stance_of_gold_is_that_of_most_coders_who_gave_the_frame(codebook):
    decisions = [{"foreign_hand": "reported"}, {"foreign_hand": "reported"}, {"foreign_hand": "contested"}, {}]
    paragraph = CodedParagraph("a", 0, "s", "t", tuple(Annotation(str(n), c) for n, c in enumerate(decisions)))
    assert settle([paragraph], codebook)[0].stances == {"foreign_hand": "reported"}
    tied = replace(paragraph, annotations=paragraph.annotations[1:3])
    assert settle([tied], codebook)[0].stances == {}


def test_calibration_of_stances_finds_the_shares_that_were_drawn():
    generator = np.random.default_rng(3)
    logits = generator.normal(size=(20_000, 3))
    truth = np.exp(0.5 * logits + [0.8, 0.0, -0.4])
    truth /= truth.sum(axis=1, keepdims=True)
    drawn = (truth.cumsum(axis=1) > generator.random((20_000, 1))).argmax(axis=1)
    slope, offsets = fit_calibration(logits, drawn)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offsets - offsets[1] == pytest.approx([0.8, 0.0, -0.4], abs=0.06)


def test_a_frame_without_specified_stances_is_left_out_of_the_figures(corpus, codebook):
    dataset = build_dataset(corpus[:400], codebook)
    stances = dataset.stances.copy()
    stances[:, 0] = -1
    figures = evaluate_stances(
        "any", replace(dataset, stances=stances), np.zeros((len(dataset), 4, 3)), np.arange(len(dataset)) % 5
    )
    assert "blame_on_leadership" not in figures.frames


def test_the_answer_has_the_stance_of_each_frame_that_is_not_absent(client):
    answer = client.post("/v1/classify", json={"paragraphs": [ADVANCED, REPORTED, CONTESTED, ACCUSED]}).json()
    stances_present = [
        {key: frame["stance"] for key, frame in p["frames"].items() if frame["decision"] == "present"}
        for p in answer["paragraphs"]
    ]
    assert stances_present[0]["blame_on_leadership"] == "advanced"
    assert stances_present[1]["blame_on_leadership"] == "reported"
    assert stances_present[2]["foreign_hand"] == "contested"
    assert stances_present[3] == {"foreign_hand": "reported"}
    for paragraph in answer["paragraphs"]:
        for frame in paragraph["frames"].values():
            assert ("stances" in frame) == (frame["decision"] != "absent")
            assert sum(frame.get("stances", {"advanced": 1.0}).values()) == pytest.approx(1)
    of_article = answer["article"]["frames"]["foreign_hand"]["stances"]
    mean = np.mean(
        [list(answer["paragraphs"][n]["frames"]["foreign_hand"]["stances"].values()) for n in (2, 3)], axis=0
    )
    assert list(of_article.values()) == pytest.approx(mean.tolist())


@pytest.mark.databases
def test_stored_stances_are_those_answered_and_are_exported_charted_and_purged(client, settings):
    sent = {"paragraphs": [CONTESTED, ACCUSED], "outlet": "Harbour Post", "published_at": "2026-03-01"}
    stored = client.post("/v1/articles", json=sent).json()
    again = client.get(f"/v1/articles/{stored['id']}").json()
    answered = [p["frames"]["foreign_hand"]["stances"] for p in stored["paragraphs"]]
    assert [p["frames"]["foreign_hand"]["stances"] for p in again["paragraphs"]] == answered
    [row] = client.get("/v1/prevalence", params={"by": "outlet", "frame": "foreign_hand"}).json()["rows"]
    for stance in SPECIFIED_STANCES:
        assert row["stances"][stance]["share"] == pytest.approx(np.mean([stances[stance] for stances in answered]))
        assert row["stances"][stance]["low"] <= row["stances"][stance]["share"] <= row["stances"][stance]["high"]
    table = client.get("/v1/prevalence", params={"by": "outlet", "frame": "foreign_hand", "format": "csv"}).text
    assert float(next(csv.DictReader(io.StringIO(table)))["contested"]) == row["stances"]["contested"]["share"]
    scores = csv.DictReader(io.StringIO(client.get("/v1/scores", params={"format": "csv"}).text))
    assert [s["stance"] for s in scores if s["frame"] == "foreign_hand"] == ["contested", "reported"]
    database = Database(settings.store_url)
    with database.read() as connection:
        views = connection.execute(
            text("SELECT stance FROM frame_scores WHERE frame = 'foreign_hand' ORDER BY paragraph")
        )
        assert views.scalars().all() == ["contested", "reported"]
        [summed] = connection.execute(text("SELECT contested FROM prevalence_daily WHERE frame = 'foreign_hand'")).all()
        assert summed.contested == pytest.approx(2 * row["stances"]["contested"]["share"])
        assert_sums_are_those_of_the_scores(connection)
    database.close()
    assert client.delete(f"/v1/articles/{stored['id']}").is_success
    assert client.get("/v1/prevalence").json()["rows"] == []


def assert_sums_are_those_of_the_scores(connection):
    names = [f"{stance}{ending}" for stance in SPECIFIED_STANCES for ending in ("", "_squared", "_present")]
    places = [len(daily.KEY) + daily.SUMS.index(name) for name in names]
    plain = {row.frame: [row[place] for place in places] for row in connection.execute(daily.plain_frames())}
    for row in connection.execute(text(f"SELECT frame, {', '.join(names)} FROM daily_frames")):
        assert list(row[1:]) == pytest.approx(plain[row.frame])
        assert row.contested_squared <= row.contested_present
