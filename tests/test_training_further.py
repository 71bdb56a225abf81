"""Fine-tuning on a user's own paragraphs, with a tiny encoder. Skipped where the extra `finetune` is not installed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from labels.annotations import Annotation, CodedParagraph, write_corpus
from labels.codebook import codebook_to_toml
from service.models.fine_tuning import fine_tune
from service.settings import Settings
from tests.support import tiny_encoder
from tests.support.tiny_encoder import use_base, write_tiny_base
from training.cross_validation import no_progress
from training.dataset import build_dataset
from training.encoder.files import digest_of, read_encoder
from training.errors import FineTuningError
from training.finetuning.checkpoints import STATE_FILE
from training.finetuning.further import work_folder
from training.kinds.adapted import base_challenger
from training.kinds.finetuned import fine_tune_kind, learned_paragraphs, parts_of
from training.registry.learned import has_learned
from training.registry.versions import Registry
from training.reports.card import card_to_markdown

pytestmark = pytest.mark.usefixtures("single_thread")

TEXTS = ("the army blames the leader {}", "foreign envoys sent a storm {}", "people of the town {}", "rain and sun {}")


@pytest.fixture
def base(tmp_path, codebook, monkeypatch):
    # With the two layers of other tests nothing would move: these stay as they are.
    monkeypatch.setattr(tiny_encoder, "LAYERS", 3)
    return use_base(write_tiny_base(tmp_path / "base", codebook), monkeypatch)


def annotated(codebook, articles=120, stances=("advanced", "reported"), source="Courier"):
    """Articles of a paragraph for each frame, which most of them carry."""
    return tuple(
        CodedParagraph(
            f"article {number}",
            kind,
            source,
            TEXTS[kind % len(TEXTS)].format("abc"[number % 3] * (number % 7)),
            (Annotation("mira", {frame: stances[number % len(stances)]} if number % 4 else {}),),
        )
        for number in range(articles)
        for kind, frame in enumerate(codebook.keys)
    )


def fine_tuned(paragraphs, codebook, work, **options):
    return fine_tune_kind("encoder", paragraphs, codebook, work, **{"seed": 1, **options})


def settings_with(tmp_path, codebook, paragraphs, **options):
    write_corpus(paragraphs, tmp_path / "ours.jsonl")
    (tmp_path / "codebook.toml").write_text(codebook_to_toml(codebook), encoding="utf-8")
    options = {"corpus": tmp_path / "ours.jsonl", "codebook": tmp_path / "codebook.toml", **options}
    return Settings(data_dir=tmp_path / "data", **options)


def run(settings, codebook, progress=no_progress, kind="encoder"):
    return fine_tune(settings, kind, codebook, seed=1, note="", progress=progress)


@pytest.fixture
def other_codebook(codebook):
    """A codebook of as many frames as that of the base, which are other ones."""
    frames = tuple(replace(frame, key=f"weather_{number}") for number, frame in enumerate(codebook.frames))
    return replace(codebook, name="weather", frames=frames, cases=())


def test_a_fine_tuned_challenger_reads_another_encoder_and_its_card_says_which_and_on_what(tmp_path, codebook, base):
    paragraphs = annotated(codebook)
    tuned = fine_tuned(paragraphs, codebook, tmp_path / "work", note="ours")
    card = tuned.challenger.card
    assert card.encoder.digest == digest_of(tuned.encoder) != base.card.encoder_digest
    assert card.encoder.fine_tuned_from == base.card.encoder_digest
    assert 0 < card.encoder.own_paragraphs < card.hyperparameters["own_paragraphs"] < len(paragraphs)
    assert card.data.paragraphs == base.card.data.paragraphs + card.hyperparameters["own_paragraphs"]
    assert (card.note, card.left_out.how) == ("ours", "articles set aside from fine-tuning")
    assert card.data.held_out_articles > 0
    assert card.held_out is not None
    assert card.stances == base.card.stances
    assert f"`{base.card.encoder_digest}` on {card.encoder.own_paragraphs} own paragraphs" in card_to_markdown(card)


def test_the_upper_layers_move_and_the_lowest_two_and_the_words_stay(tmp_path, codebook, base):
    tuned = fine_tuned(annotated(codebook), codebook, tmp_path / "work")
    before, after = read_encoder(tmp_path / "base" / "encoder"), read_encoder(tuned.encoder)
    moved = [
        not np.array_equal(old.up.matrix(), new.up.matrix())
        for old, new in zip(before.layers, after.layers, strict=True)
    ]
    assert moved == [False, False, True]
    np.testing.assert_array_equal(before.words.matrix(), after.words.matrix())


def test_figures_come_from_articles_that_neither_encoder_nor_heads_have_seen(tmp_path, codebook, base):
    dataset = build_dataset(annotated(codebook), codebook)
    parts = parts_of(dataset)
    masks = (parts.learned, parts.aside, parts.held_out)
    assert (sum(mask.astype(int) for mask in masks) == 1).all()
    articles = [set(dataset.take(mask).articles) for mask in masks]
    assert sum(map(len, articles)) == len(set(dataset.articles))
    card = fine_tuned(annotated(codebook), codebook, tmp_path / "work").challenger.card
    carrying = dataset.take(parts.aside).targets.sum(axis=0).tolist()
    assert [figures.support for figures in card.left_out.frames] == carrying


def test_another_codebook_of_as_many_frames_does_not_start_from_the_heads_of_the_base(tmp_path, other_codebook, base):
    card = fine_tuned(annotated(other_codebook), other_codebook, tmp_path / "work").challenger.card
    assert not (tmp_path / "work" / "start" / "heads.npz").exists()
    assert card.frame_keys == other_codebook.keys
    assert "base" not in card.hyperparameters
    assert card.encoder.fine_tuned_from == base.card.encoder_digest


def test_what_the_heads_learn_separates_the_frames_of_another_codebook(tmp_path, other_codebook, base):
    card = fine_tuned(annotated(other_codebook), other_codebook, tmp_path / "work").challenger.card
    # Of the sentences of a frame three in four carry it, and by chance three in sixteen of all would.
    assert card.held_out.macro_average_precision.value > 0.45
    assert card.stances == ("advanced", "reported", "contested")


def test_without_coded_stances_a_model_of_another_codebook_distinguishes_none(tmp_path, other_codebook, base):
    paragraphs = annotated(other_codebook, stances=("present",))
    tuned = fine_tuned(paragraphs, other_codebook, tmp_path / "work")
    assert (tuned.challenger.card.stances, tuned.challenger.card.stances_left_out) == ((), None)


def test_an_encoder_learns_no_absence_from_a_frame_that_nobody_decided_about(codebook):
    covered = frozenset(codebook.keys[:2])
    paragraphs = [
        CodedParagraph("a", 0, "Courier", "rain", (Annotation("mira", {codebook.keys[0]: "reported"}, covered),)),
        CodedParagraph("a", 1, "Courier", "sun", (Annotation("mira", {codebook.keys[1]: "present"}),)),
    ]
    [learned] = learned_paragraphs(build_dataset(paragraphs, codebook))
    assert (learned.text, learned.frames) == ("sun", {codebook.keys[1]: "present"})


def test_too_few_annotations_are_refused_before_anything_is_learned(tmp_path, codebook, base):
    with pytest.raises(FineTuningError, match=r"set aside for calibration, \d carry 'blame_on_leadership'.*heads"):
        fine_tuned(annotated(codebook, articles=20), codebook, tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_the_same_command_resumes_after_a_kill_and_makes_the_same_encoder(tmp_path, codebook, base):
    paragraphs = annotated(codebook)
    whole = fine_tuned(paragraphs, codebook, tmp_path / "whole").challenger.card.encoder_digest
    steps = []

    class Killed(BaseException):
        """As a signal would end it."""

    def kill_while_encoding(step, _share):
        steps.append(step)
        if step == "encode paragraphs":
            raise Killed

    settings = settings_with(tmp_path, codebook, paragraphs)
    with pytest.raises(Killed):
        run(settings, codebook, kill_while_encoding)
    assert "fine-tune the encoder" in steps
    assert (settings.finetuning_dir / STATE_FILE).exists()
    again = []
    card = run(settings, codebook, lambda step, _share: again.append(step))
    assert "fine-tune the encoder" not in again  # the last checkpoint is that of the last step
    assert card.encoder_digest == whole
    assert not settings.finetuning_dir.exists()


def test_a_run_on_other_paragraphs_does_not_resume_a_checkpoint_that_is_not_its_own(tmp_path, codebook, base):
    first = fine_tuned(annotated(codebook), codebook, tmp_path / "work").challenger.card.encoder_digest
    again = []
    paragraphs = annotated(codebook, articles=121)
    tuned = fine_tuned(paragraphs, codebook, tmp_path / "work", progress=lambda step, _: again.append(step))
    assert "fine-tune the encoder" in again
    assert tuned.challenger.card.encoder_digest != first


def test_a_fine_tuned_model_is_registered_with_its_verdict_and_served_from_the_folder_of_models(
    tmp_path, codebook, base
):
    settings = settings_with(tmp_path, codebook, annotated(codebook))
    registry = Registry(settings.models_location)
    registry.promote(registry.register(base_challenger(base, seed=1)).version, by="tests", reason="the first")
    card = run(settings, codebook)
    assert (card.version, card.verdict.champion) == ("v2", "v1")
    folder = settings.data_dir / "models" / "encoders" / card.encoder_digest
    assert digest_of(folder) == card.encoder_digest
    model = registry.load("v2")
    texts = [TEXTS[0].format(""), TEXTS[3].format("abc")]
    assert model.score(texts).shape == (2, len(codebook.keys))
    assert not np.allclose(model.score(texts), registry.load("v1").score(texts))
    assert registry.unfinished() == []
    learned = [has_learned(registry.learned("v2"), paragraph.text) for paragraph in annotated(codebook)]
    assert sum(learned) > card.encoder.own_paragraphs


def test_a_second_process_does_not_fine_tune_in_the_same_folder(tmp_path):
    with (
        work_folder(tmp_path / "finetuning"),
        pytest.raises(FineTuningError, match="Another process"),
        work_folder(tmp_path / "finetuning"),
    ):
        pytest.fail("two at a time")


def test_a_disk_that_cannot_hold_the_checkpoints_is_refused_before_the_first_step(
    tmp_path, codebook, base, monkeypatch
):
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=1000))
    with pytest.raises(FineTuningError, match="GB for its checkpoints"):
        fine_tuned(annotated(codebook), codebook, tmp_path / "work")
    assert not (tmp_path / "work" / STATE_FILE).exists()
