"""Frames come into a codebook and are renamed: what was coded before says nothing of a new frame, and is not lost."""

import json
from dataclasses import replace

import numpy as np
import pytest

from labels.agreement import agreement
from labels.annotations import ADJUDICATOR, Annotation, CodedParagraph, annotation_today, read_corpus, write_corpus
from labels.codebook import Codebook, Frame, codebook_to_toml, read_codebook
from labels.errors import CodebookError
from labels.exchange import FORMATS, ExchangedAnnotation
from labels.gold import settle
from training.dataset import build_dataset, data_digest, is_held_out, require_trainable
from training.encoder.heads import fit_separately, from_nothing, of_presence
from training.errors import TrainingDataError
from training.evaluation import evaluate
from training.hyperparameters import Hyperparameters
from training.kinds.judging import judge
from training.pipeline import fit
from training.registry.renamed import renamed_card
from training.scoring.frame_model import FrameModel

# Version 1 had jobs and money; version 2 calls money costs; nature came with version 3.
JOBS, COSTS = Frame("jobs", "Jobs", "Work."), Frame("costs", "Costs", "What it pays.", formerly=("money",))
NATURE = Frame("nature", "Nature", "The coast.", since=3)
HARBOUR = Codebook("Harbour", 3, (JOBS, COSTS, NATURE))


def test_a_codebook_file_keeps_since_and_former_keys(tmp_path):
    path = tmp_path / "codebook.toml"
    path.write_text(codebook_to_toml(HARBOUR), encoding="utf-8")
    assert read_codebook(path) == HARBOUR
    assert 'formerly = ["money"]' in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace('["money"]', '"money"'), encoding="utf-8")
    assert read_codebook(path) == HARBOUR


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('["money"]', '["jobs"]', "'jobs' is a frame and cannot be a former key of 'costs' too"),
        ('["money"]', '["Money!"]', "'Money!' in 'formerly' cannot be a key"),
        ('["money"]', "[5]", "'formerly' must be a former key or a list of them"),
        ("since = 3", "since = 4", "'since' is version 4, and the codebook is version 3: raise its 'version'"),
        ("since = 3", "since = 0", "'since' must be the version in which the frame came"),
        ("since = 3", 'formerly = "money"', "'money' is a former key of both 'costs' and 'nature'"),
    ],
)
def test_a_codebook_that_contradicts_itself_is_refused(tmp_path, old, new, fault):
    path = tmp_path / "codebook.toml"
    path.write_text(codebook_to_toml(HARBOUR).replace(old, new), encoding="utf-8")
    with pytest.raises(CodebookError) as refusal:
        read_codebook(path)
    assert fault in str(refusal.value)


def test_an_annotation_says_something_of_the_frames_of_its_version_only():
    old = annotation_today("mira", {"money": "contested"}, HARBOUR, version=1)
    assert (old.frames, old.covered) == ({"costs": "contested"}, {"jobs", "costs"})
    assert [old.decides(frame) for frame in HARBOUR.keys] == [True, True, False]
    assert annotation_today("mira", {}, HARBOUR, version=3).covered is None
    assert annotation_today("mira", {}, HARBOUR).covered is None
    assert annotation_today("mira", {}, HARBOUR, covered=["jobs", "gone"], version=3).covered == {"jobs"}
    assert annotation_today("mira", {"nature": "present", "gone": "present"}, HARBOUR, version=1).decides("nature")


def test_a_frame_made_of_two_has_a_stance_only_where_both_agree():
    both = Codebook("Both", 2, (Frame("c", "C", "C.", formerly=("a", "b")), JOBS))
    assert annotation_today("m", {"a": "reported", "b": "reported"}, both).frames == {"c": "reported"}
    assert annotation_today("m", {"a": "reported", "b": "contested"}, both).frames == {"c": "present"}


def test_a_corpus_file_says_which_frames_were_decided_about(tmp_path):
    entries = [
        {"coder": "a", "frames": {"money": "present"}, "codebook_version": 1},
        {"coder": "b", "frames": {}, "covered": "nature"},
        {"coder": "c", "frames": {"nature": "reported"}},
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps({"article": "1", "index": 0, "source": "s", "text": "T.", "annotations": entries}))
    (paragraph,) = read_corpus(path, HARBOUR)
    assert [annotation.covered for annotation in paragraph.annotations] == [{"jobs", "costs"}, {"nature"}, None]
    assert paragraph.annotations[0].frames == {"costs": "present"}
    again = tmp_path / "again.jsonl"
    write_corpus([paragraph], again)
    assert read_corpus(again, HARBOUR) == (paragraph,)


def coded(number, *annotations):
    text = f"Paragraph {number} is about the harbour, its ships and what they bring."
    return CodedParagraph(f"article-{number}", 0, f"source-{number % 4}", text, annotations)


def test_coders_to_whom_a_frame_was_not_put_neither_agree_nor_tie_nor_outvote():
    old = frozenset({"jobs", "costs"})
    paragraph = coded(1, Annotation("a", {}, old), Annotation("b", {}, old), Annotation("c", {"nature": "present"}))
    (gold,) = settle([paragraph], HARBOUR)
    assert (gold.frames, gold.unsettled, gold.missing) == ({"nature"}, frozenset(), frozenset())
    by_frame = {result.frame: result.paragraphs for result in agreement([paragraph], HARBOUR, resamples=1)}
    assert by_frame == {"jobs": 1, "costs": 1, "nature": 0}
    nobody = settle([coded(2, Annotation("a", {"jobs": "present"}, old))], HARBOUR)[0]
    assert (nobody.frames, nobody.missing) == ({"jobs"}, {"nature"})


def test_an_adjudication_leaves_frames_that_came_later_to_the_coders():
    settled = Annotation(ADJUDICATOR, {"jobs": "present"}, frozenset({"jobs", "costs"}))
    (gold,) = settle([coded(1, settled, Annotation("a", {"nature": "present", "costs": "present"}))], HARBOUR)
    assert gold.frames == {"jobs", "nature"}


def harbour_paragraphs(count=160):
    """Half was coded before nature came; of the others, every fourth carries nature."""
    words = {"jobs": "dockers and welders", "costs": "loans and prices", "nature": "seals and seagrass"}
    paragraphs = []
    for number in range(count):
        frames = {key: "present" for place, key in enumerate(HARBOUR.keys) if number % 4 == place + 1}
        about = " and ".join(words[key] for key in frames) or "nothing much"
        covered = frozenset({"jobs", "costs"}) if number < count // 2 else None
        if covered is not None:
            frames.pop("nature", None)
        paragraph = coded(number, Annotation("mira", frames, covered))
        text = f"{paragraph.text} It tells of {about} at length."
        paragraphs.append(CodedParagraph(paragraph.article, 0, paragraph.source, text, paragraph.annotations))
    return paragraphs


def test_a_dataset_knows_what_nobody_decided_about():
    dataset = build_dataset(harbour_paragraphs(), HARBOUR)
    assert dataset.coded.sum(axis=0).tolist() == [160, 160, 80]
    assert np.isnan(dataset.known_targets[:, 2]).sum() == 80
    assert not dataset.targets[~dataset.coded].any()
    assert build_dataset([coded(1, Annotation("a", {}, frozenset()))], HARBOUR).texts.size == 0


def test_paragraphs_that_lack_a_frame_are_counted_among_those_coded_for_it():
    few = [p for number, p in enumerate(harbour_paragraphs()) if number < 80 or number % 4 == 3]
    with pytest.raises(TrainingDataError, match=r"'nature' has 0 paragraphs that do not carry it"):
        require_trainable(build_dataset(few, HARBOUR))


def test_a_model_of_words_learns_a_new_frame_from_the_paragraphs_coded_for_it_alone():
    dataset = build_dataset(harbour_paragraphs(), HARBOUR)
    column = fit(dataset, Hyperparameters(), 0, stances=False).named_steps["frames"].estimators_[2]
    # As if those coded before were not there, but for the words that are counted in all of them.
    known = dataset.take(dataset.coded[:, 2])
    assert known.targets[:, 2].mean() == 0.25
    seal = fit(dataset, Hyperparameters(), 0, stances=False).named_steps["features"].vocabulary_["seals"]
    as_absent = fit(
        build_dataset(
            [
                CodedParagraph(p.article, 0, p.source, p.text, (Annotation("mira", p.annotations[0].frames),))
                for p in harbour_paragraphs()
            ],
            HARBOUR,
        ),
        Hyperparameters(),
        0,
        stances=False,
    )
    assert column.coef_[0][seal] > 1.5 * as_absent.named_steps["frames"].estimators_[2].coef_[0][seal]


def test_heads_learn_from_known_targets_alone():
    generator = np.random.default_rng(1)
    vectors, targets = generator.normal(size=(60, 4)), generator.integers(0, 2, (60, 2)).astype(float)
    targets[30:, 1] = np.nan
    both = fit_separately(vectors, targets, from_nothing(4, targets), 1.0)
    first = fit_separately(vectors, targets[:, :1], from_nothing(4, targets[:, :1]), 1.0)
    assert np.allclose(both.coefficients[:, 0], first.coefficients[:, 0])
    assert not np.isnan(both.coefficients).any()
    losses, slope = of_presence(np.zeros((60, 2)), targets)
    assert np.allclose(slope[30:, 1], 0)
    assert np.allclose(losses[30:], np.log(2))
    assert np.allclose(losses[:30], 2 * np.log(2))


def test_figures_do_not_count_what_nobody_decided_about():
    dataset = build_dataset(harbour_paragraphs(), HARBOUR)
    decisions = np.ones(dataset.targets.shape, dtype=bool)
    scores = np.full(dataset.targets.shape, 0.9)
    arguments = (dataset.frames, scores, decisions, dataset.targets, dataset.articles)
    figures = evaluate("", *arguments, weights=dataset.weights).frames
    assert figures[2].precision.value == pytest.approx(0.25)
    assert figures[2].ece == pytest.approx(0.65)
    assert evaluate("", *arguments).frames[2].precision.value == pytest.approx(0.125)
    nobody = np.array([[1.0, 1.0, 0.0]] * len(dataset))
    assert evaluate("", *arguments, weights=nobody).frames[2].ece is None


def test_the_digest_of_annotations_of_a_single_version_is_what_it_was():
    paragraph = coded(1, Annotation("a", {"jobs": "present"}))
    assert data_digest([paragraph]) == data_digest([coded(1, annotation_today("a", {"jobs": "present"}, HARBOUR))])


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_carries_which_frames_were_decided_about(name):
    annotations = [
        ExchangedAnnotation(
            "a", "The first text.", "s", {"jobs": "reported"}, "1" * 32, 0, covered=frozenset({"jobs"})
        ),
        ExchangedAnnotation("b", "Another text.", "s", {}, "1" * 32, 1, covered=frozenset(HARBOUR.keys)),
    ]
    exchange_format = FORMATS[name]
    again = exchange_format.read(exchange_format.write(annotations, HARBOUR), HARBOUR).annotations
    assert {a.text: (a.covered, dict(a.frames)) for a in again} == {a.text: (a.covered, a.frames) for a in annotations}


def test_a_wide_table_has_an_empty_cell_where_nobody_decided_and_may_lack_the_column():
    wide = FORMATS["csv-wide"]
    old = ExchangedAnnotation("a", "T.", "s", {"jobs": "present"}, covered=frozenset({"jobs", "costs"}))
    table = wide.write([old], HARBOUR).decode().splitlines()
    cells = dict(zip(table[0].split(","), table[1].split(","), strict=True))
    assert (cells["jobs"], cells["costs"], cells["nature"]) == ("1", "0", "")
    without = Codebook("Harbour", 2, (JOBS, Frame("money", "Money", "M.")))
    earlier = ExchangedAnnotation("a", "T.", "s", {"money": "present"}, covered=frozenset({"jobs", "money"}))
    (read,) = wide.read(wide.write([earlier], without), HARBOUR).annotations
    assert (read.frames, annotation_today("a", read.frames, HARBOUR, covered=read.covered).covered) == (
        {"costs": "present"},
        {"jobs", "costs"},
    )


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_file_of_any_format_is_read_under_the_key_of_today_with_its_stance(name):
    before = Codebook("Harbour", 1, (JOBS, Frame("money", "Money", "What it pays.")))
    annotation = ExchangedAnnotation(
        "a", "T.", "s", {"money": "contested", "jobs": "present"}, "1" * 32, 0, covered=frozenset({"jobs", "money"})
    )
    (read,) = FORMATS[name].read(FORMATS[name].write([annotation], before), HARBOUR).annotations
    assert annotation_today("a", read.frames, HARBOUR, covered=read.covered) == annotation_today(
        "a", {"costs": "contested", "jobs": "present"}, HARBOUR, version=2
    )
    assert set(read.frames) == {"costs", "jobs"}


def test_a_champion_with_the_former_key_of_a_frame_is_compared_on_that_frame(challenger, corpus, codebook):
    before = [
        replace(frame, key="outside_hand", formerly=("foreign_hand",)) if frame.key == "foreign_hand" else frame
        for frame in codebook.frames
    ]
    card = renamed_card(challenger.card.registered("v1", "0" * 64, "1" * 64), replace(codebook, frames=tuple(before)))
    champion = FrameModel.of(challenger.pipeline, card)
    judged = build_dataset([p for p in corpus if is_held_out(p.article)][:200], codebook)
    verdict = judge(challenger, champion, judged, current_keys={"outside_hand": "foreign_hand"})
    assert [compared.frame for compared in verdict.frames] == list(codebook.keys)
    assert verdict.champion_macro_f1 == verdict.challenger_macro_f1
    assert "could not be compared" not in verdict.reason
    assert "foreign_hand, outside_hand could not be compared" in judge(challenger, champion, judged).reason
