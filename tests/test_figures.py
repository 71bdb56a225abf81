"""The commands that measure figures for the documents, on a tiny encoder and invented paragraphs."""

import hashlib
import json
import os
import sys

import numpy as np
import pytest

from benchmarks.quality import document, learning
from benchmarks.quality.annotated_news import EncodedNews, read_news
from benchmarks.quality.news_curve import drawn
from benchmarks.quality.news_models import chosen_on
from benchmarks.speed import rescoring, runtimes
from labels.annotations import STANCES
from tests.support.files import write_lines
from tests.support.filled_database import fill
from tests.support.tiny_encoder import use_base, write_tiny_base
from training.encoder.files import DIGESTS_FILE
from training.finetuning.paragraphs import is_held_out

OUTLETS = ("Harbour Post", "Hill Gazette", "Lake Courier", "Plain Herald", "River Echo")
WORDS = {
    "blame_on_leadership": "the leader let the town down",
    "foreign_hand": "foreign envoys armed the town",
    "grievance_driven": "a grievance of the people",
    "militarized_response": "the army came by storm",
}


def news_rows():
    """Four hundred paragraphs of a hundred articles, each with a frame or none; a fifth of the articles is dev."""
    for number in range(400):
        article, frame = number // 4, [*WORDS, ""][number % 5]
        yield {
            "article": f"a{article}",
            "index": number % 4,
            "split": "dev" if article % 5 == 0 else "train",
            "outlet": OUTLETS[article % 5 - 1] if article % 7 else "",
            "topic": f"topic {article % 3}",
            "drawn": "random",
            "text": f"{WORDS.get(frame, 'rain and sun')}, case {number}.",
            "frames": {frame: STANCES[number % 3]} if frame else {},
        }


@pytest.fixture(scope="module")
def news_file(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("news") / "coded.jsonl", news_rows())


@pytest.fixture
def base_folder(codebook, tmp_path, monkeypatch):
    """A tiny base that has learned from all paragraphs that an encoder may learn from."""
    folder = write_tiny_base(tmp_path / "base", codebook)
    use_base(folder, monkeypatch)
    learned = [row["text"] for row in news_rows() if row["split"] == "train" and not is_held_out(row["article"])]
    digests = sorted(hashlib.sha256(text.encode()).hexdigest()[:16] for text in learned)
    (folder / "encoder" / DIGESTS_FILE).write_text("\n".join(digests), encoding="utf-8")
    return folder / "encoder"


def answer(capsys, monkeypatch, main, *arguments):
    monkeypatch.setattr(sys, "argv", ["program", *map(str, arguments)])
    main()
    return capsys.readouterr().out


def test_learning_prints_a_curve_what_is_left_out_and_own_annotations(
    capsys, monkeypatch, base_folder, news_file, tmp_path
):
    options = ("--data", news_file, "--work", tmp_path / "work", "--sizes", 60, 120, 100_000, "--draws", 2)
    own = ("--outlet", "Hill Gazette", "--own-sizes", 12, 10_000, "--own-draws", 2)
    monkeypatch.setattr("benchmarks.quality.own_annotations.FEWEST_JUDGED", 4)
    sections = json.loads(answer(capsys, monkeypatch, learning.main, *options, *own, "--json"))
    # A size that there are too few paragraphs for has no row.
    assert [row["Annotations"] for row in sections["curve"]["rows"]] == ["60", "120"]
    assert all(float(row["words: macro F1"].split()[0]) > 0.9 for row in sections["curve"]["rows"])
    left_out = sections["left-out"]["rows"]
    assert [(row["Left out"], row["Model"], row["Learned from"]) for row in left_out[:2]] == [
        ("a fifth of the outlets", "encoder", "all"),
        ("a fifth of the outlets", "encoder", "the other four fifths"),
    ]
    assert [bool(row["Macro F1 against all"]) for row in left_out] == [False, True] * 4
    [row] = sections["own"]["rows"]
    assert (row["Outlet"], row["Own annotations"]) == ("Hill Gazette", "12")
    assert int(row["Seen by the encoder"]) > 0
    assert any((tmp_path / "work" / "vectors").rglob("*"))
    shown = answer(capsys, monkeypatch, learning.main, "curve", *options)
    assert "encoders had learned before: encoder from" in " ".join(shown.split())


def test_an_encoder_that_learned_from_what_would_judge_it_is_refused(
    capsys, monkeypatch, base_folder, news_file, tmp_path
):
    dev = next(row for row in news_rows() if row["split"] == "dev")
    digest = hashlib.sha256(dev["text"].encode()).hexdigest()[:16]
    (base_folder / DIGESTS_FILE).write_text(digest, encoding="utf-8")
    with pytest.raises(SystemExit, match="encoder learned from 1 of the paragraphs that would judge it"):
        answer(capsys, monkeypatch, learning.main, "curve", "--data", news_file, "--work", tmp_path)


def test_a_base_in_another_folder_is_measured_with_its_own_encoder(codebook, base_folder, tmp_path, news_file):
    encoded = EncodedNews(base_folder, tmp_path / "work")
    texts = ["The army came.", "Rain."]
    once, again = encoded.vectors(texts), EncodedNews(base_folder, tmp_path / "work").vectors(texts)
    assert np.array_equal(once, again)
    assert not np.array_equal(once[0], once[1])


def test_annotations_of_the_curve_are_whole_articles_of_those_to_learn_from(codebook, news_file):
    news = read_news(news_file, codebook)
    chosen = drawn(news, 50, seed=1)
    assert chosen.sum() == 50
    assert not (chosen & ~news.learned).any()
    articles = news.dataset.articles
    cut = [name for name in set(articles[chosen]) if (chosen & (articles == name)).sum() < (articles == name).sum()]
    assert len(cut) <= 1
    assert not np.array_equal(chosen, drawn(news, 50, seed=2))


def test_a_setting_is_chosen_on_other_paragraphs_than_those_it_decides():
    generator = np.random.default_rng(0)
    targets = generator.random((200, 1)) < 0.5
    tuned = np.arange(200) < 100
    good = np.where(targets, 3.0, -3.0)
    # The second setting is perfect on what is judged and wrong on what it is chosen by.
    tempting = np.where(tuned[:, None], -good, 2 * good)
    scores, decisions = chosen_on([good, tempting], targets, tuned, ~tuned)
    assert scores.shape == decisions.shape == (100, 1)
    assert np.array_equal(decisions, targets[~tuned])
    _, misled = chosen_on([-good, np.zeros_like(good)], targets, tuned, ~tuned)
    assert misled.all() or not misled.any()


def test_the_page_keeps_sections_that_were_not_measured_in_the_order_of_the_template():
    page = "# Quality\n\nOld.\n\n## Few labels\n\nfew\n\n## Real news and opinion\n\nold news\n\n## No longer\n\ngone\n"
    text = document.merged(page, "# Quality\n\nNew.\n\n## Real news and opinion\n\nnew news\n")
    assert text == "# Quality\n\nNew.\n\n## Real news and opinion\n\nnew news\n\n## Few labels\n\nfew\n"


def test_a_part_without_its_data_is_left_out_and_the_page_stays_as_it_is(capsys, monkeypatch, tmp_path):
    nowhere = ("--real-news", tmp_path / "no", "--gun-violence", tmp_path / "no.jsonl")
    figures = json.loads(answer(capsys, monkeypatch, document.main, "learning", "codebook", *nowhere, "--json"))
    assert figures == {}


def test_runtimes_that_are_not_installed_are_named_and_this_process_keeps_its_cores(base_folder, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda package: None if package == "torch" else object())
    monkeypatch.setattr(runtimes, "_words", lambda: len)
    cores = os.sched_getaffinity(0)
    rows, absent = runtimes.measure(3)
    assert os.sched_getaffinity(0) == cores
    assert [row[:2] for row in rows] == [["encoder", "OpenVINO, as shipped"], ["words", "NumPy, as shipped"]]
    assert float(rows[0][3]) > float(rows[1][3]) > 100
    assert absent == [
        "PyTorch is not measured: torch not installed.",
        "PyTorch in bfloat16 is not measured: torch not installed.",
    ]


def test_a_store_is_rescored_to_its_end_or_it_is_an_error(
    settings, registry, other_challenger, models_folder, monkeypatch
):
    fill(settings, 40, 2, lambda _done: None)
    registry.promote(registry.register(other_challenger).version, by="test", reason="try", force=True)
    monkeypatch.setenv("FRAMING_RESCORE", "false")
    with pytest.raises(RuntimeError, match="Only 0 of 40 articles were rescored"):
        rescoring._rescore(models_folder.parent)
    monkeypatch.delenv("FRAMING_RESCORE")
    assert rescoring._rescore(models_folder.parent) > 0
    assert rescoring._longer(100_000, 2_000, 60.0) == "50.0 min, extrapolated"
    assert rescoring._longer(2_000, 2_000, 60.0) == "1.0 min"
