"""What an encoder learns from: annotated files, the written corpus, swapped names, epochs, targets. Needs no torch."""

import gzip
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from labels.codebook import read_codebook
from labels.errors import CorpusError
from training.errors import TrainingDataError
from training.finetuning.epochs import Material, epoch_of, targets
from training.finetuning.names import GROUPS, STATES, swap_names
from training.finetuning.paragraphs import (
    LearnedParagraph,
    is_held_out,
    read_annotated,
    read_written,
    with_teacher,
)
from training.finetuning.recipe import Recipe
from training.making.assembly import vectors_of
from training.making.sources import Sources, split_articles

FRAMES = ("blame", "hand", "grievance")


def _paragraph(number, frames=None, origin="chosen", **facts):
    return LearnedParagraph(f"article {number}", f"Paragraph {number} about Dun Aral.", frames or {}, origin, **facts)


def _write(path, *rows):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def test_only_the_paragraphs_of_the_split_train_are_read(tmp_path):
    row = {"article": "a", "text": "A port was shelled.", "frames": {"foreign_hand": "reported"}, "sure": 2}
    rows = [
        row | {"split": "train", "drawn": "random", "outlet": "Harbour Post"},
        row | {"split": "dev", "drawn": "random"},
    ]
    [paragraph] = read_annotated(_write(tmp_path / "coded.jsonl", *rows), read_codebook())
    assert paragraph.frames == {"foreign_hand": "reported"}
    assert (paragraph.origin, paragraph.sure, paragraph.outlet) == ("random", 2, "Harbour Post")


def test_rows_without_draw_are_other_news_and_rows_without_frames_are_uncoded(tmp_path):
    row = {"article": "a", "text": "A port was closed.", "split": "train"}
    path = _write(tmp_path / "rows.jsonl.gz", row | {"frames": {}}, row, row | {"frames": {}, "drawn": "likely:x"})
    assert [p.origin for p in read_annotated(path, read_codebook())] == ["other", "uncoded", "chosen"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"frames": {"unheard_of": "advanced"}}, "has no frame"),
        ({"frames": {"foreign_hand": "loud"}}, "is not a stance"),
        ({"frames": ["foreign_hand"]}, "must be an object"),
        ({"text": None}, "'text' must be a string"),
        ({"sure": 7}, "'sure' must be"),
        ({"outlet": 7}, "'outlet' must be a string"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line(tmp_path, change, fault):
    row = {"article": "a", "text": "A port.", "split": "train", "frames": {}}
    with pytest.raises(CorpusError, match=f"line 2: .*{fault}"):
        read_annotated(_write(tmp_path / "coded.jsonl", row, row | change), read_codebook())


def test_a_line_that_is_not_json_is_rejected(tmp_path):
    (tmp_path / "coded.jsonl").write_text("{\n")
    with pytest.raises(CorpusError, match="line 1: not a JSON object"):
        read_annotated(tmp_path / "coded.jsonl", read_codebook())


def test_blank_lines_are_skipped_and_lines_counted_with_them(tmp_path):
    row = json.dumps({"article": "a", "text": "A port.", "split": "train", "frames": {}})
    (tmp_path / "coded.jsonl").write_text(f"{row}\n\n{row}\n[]\n")
    with pytest.raises(CorpusError, match="line 4: not a JSON object"):
        read_annotated(tmp_path / "coded.jsonl", read_codebook())
    (tmp_path / "coded.jsonl").write_text(f"{row}\n\n{row}\n\n")
    assert [paragraph.outlet for paragraph in read_annotated(tmp_path / "coded.jsonl", read_codebook())] == ["", ""]


@pytest.mark.parametrize(("name", "fault"), [("nowhere.jsonl", "there is no such file"), (".", "it is a folder")])
def test_a_file_that_is_not_there_is_not_called_unreadable(tmp_path, name, fault):
    with pytest.raises(CorpusError, match=fault):
        read_annotated(tmp_path / name, read_codebook())


@pytest.mark.parametrize("name", ["damaged.jsonl.gz", "cut.jsonl.gz", "binary.jsonl"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    whole = gzip.compress(json.dumps({"article": "a", "text": "A port.", "split": "train"}).encode())
    (tmp_path / "damaged.jsonl.gz").write_bytes(whole[:12] + b"\xff\xff\xff" + whole[15:])
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-12])
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match="not a readable file of text"):
        read_annotated(tmp_path / name, read_codebook())


def test_the_written_corpus_gives_settled_paragraphs_with_frames_of_the_codebook():
    codebook = read_codebook()
    written = read_written(codebook)
    assert len(written) > 1000
    assert {frame for paragraph in written for frame in paragraph.frames} == set(codebook.keys)
    assert not any(paragraph.easy for paragraph in written)


def test_about_a_fifth_of_the_articles_is_held_out():
    assert 150 < sum(is_held_out(f"article {number}") for number in range(1000)) < 250


def test_swapped_names_stay_the_same_within_a_paragraph():
    text = "Pakistan blames India. India denies it; Pakistani guns fell silent, Indian guns did not. Hamas and hamas."
    swapped = swap_names(text, np.random.default_rng(4))
    first, second, again, people, others, group, same = re.fullmatch(
        r"(.+) blames (.+)\. (.+) denies it; (.+) guns fell silent, (.+) guns did not\. (.+) and (.+)\.", swapped
    ).groups()
    assert second == again != first
    assert group == same
    peoples = {state[0]: state[1] for state in STATES}
    assert (peoples[first], peoples[second]) == (people, others)


def test_swapped_names_are_whole_words():
    text = "Indiana, Malians Malian Nigerien turkey polish Sudanesque PKKs Hamastan"
    swapped = swap_names(text, np.random.default_rng(0)).split()
    assert [swapped[0], *swapped[3:]] == ["Indiana,", "Nigerien", "turkey", "polish", "Sudanesque", "PKKs", "Hamastan"]
    assert "Mali" not in swap_names("Mali Malian Malians", np.random.default_rng(0))


def test_every_name_is_replaced_by_a_name_and_plurals_only_where_there_are_any():
    peoples = {people for _, people, _ in STATES}
    plurals = {people if people.endswith(("ese", "ish", "ch")) else people + "s" for people in peoples}
    for seed in range(20):
        random = np.random.default_rng(seed)
        assert swap_names("Kenyans", random) in plurals
        assert swap_names("Bogotá", random) in {capital for *_, capital in STATES}
        assert swap_names("BOKO HARAM", random) in GROUPS


def test_an_epoch_leaves_out_some_of_the_easy_paragraphs_only():
    easy = [_paragraph(number) for number in range(400)]
    others = [_paragraph("r", origin="random"), _paragraph("u", sure=2), _paragraph("f", {"hand": "advanced"})]
    material = Material(FRAMES, [*easy, *others])
    epoch = epoch_of(material, Recipe(swapped=0), np.random.default_rng(1))
    assert set(others) <= set(epoch)
    assert 200 < len(epoch) - len(others) < 280
    assert epoch == epoch_of(material, Recipe(swapped=0), np.random.default_rng(1))


def test_an_epoch_draws_written_paragraphs_with_the_rarest_frame_more_often():
    written = [_paragraph(n, {"hand": "reported"} if n % 2 else {"blame": "reported"}, "written") for n in range(400)]
    real = [_paragraph("b", {"blame": "reported", "grievance": "contested"})]
    material = Material(("blame", "hand", "grievance"), real, written)
    epoch = epoch_of(material, Recipe(swapped=0, written=100), np.random.default_rng(1))
    assert len(epoch) == 101
    assert sum("hand" in paragraph.frames for paragraph in epoch) > 65


def test_targets_have_frames_and_stances_where_the_coder_specified_them():
    paragraphs = [_paragraph(1, {"hand": "contested", "blame": "present"}), _paragraph(2, weight=0.5)]
    learned = targets(paragraphs, FRAMES, 0.5)
    assert learned.frames.tolist() == [[1, 1, 0], [0, 0, 0]]
    assert learned.stance_weights.tolist() == [[0, 1, 0], [0, 0, 0]]
    assert learned.stances[0, 1].tolist() == [0, 0, 1]
    assert learned.weights.tolist() == [1, 0.5]


def test_a_teacher_decides_about_uncoded_paragraphs_and_moves_decisions_about_others():
    scores = np.array([[0.8, 0.2, 0.1]] * 2, np.float32)
    stances = np.full((2, 3, 3), 1 / 3, np.float32)
    paragraphs = [_paragraph(1, {"hand": "contested"}), _paragraph(2, origin="uncoded")]
    learned = targets(with_teacher(paragraphs, scores, stances), FRAMES, 0.5)
    np.testing.assert_allclose(learned.frames, [[0.4, 0.6, 0.05], [0.8, 0.2, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(learned.stance_weights, [[0, 1, 0], [0.8, 0.2, 0.1]])
    np.testing.assert_allclose(learned.stances[0, 1], [0, 0, 1])
    assert learned.weights.tolist() == [1, 0.5]


def test_uncoded_paragraphs_without_a_teacher_are_refused():
    with pytest.raises(TrainingDataError, match="from a teacher only"):
        Material(FRAMES, [_paragraph(1, origin="uncoded")])


def test_the_share_of_each_frame_comes_from_paragraphs_drawn_at_random():
    at_random = [_paragraph(n, {"blame": "advanced"} if n else {}, "random") for n in range(4)]
    shares = Material(FRAMES, [*at_random, _paragraph(9, {"hand": "advanced"})]).shares()
    np.testing.assert_allclose(shares, [0.5, 0.2, 0.2])


def test_making_a_base_is_refused_before_the_hours_of_training_where_no_article_can_judge_it(tmp_path, codebook):
    learned = next(name for name in map(str, range(99)) if not is_held_out(name))
    row = {"article": learned, "text": "The army came.", "split": "train", "frames": {}, "drawn": "random", "sure": 3}
    path = tmp_path / "coded.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match="give more articles"):
        split_articles(Sources((path,)), codebook)


def test_the_population_of_a_base_may_be_empty():
    assert vectors_of(SimpleNamespace(width=7), []).shape == (0, 7)
