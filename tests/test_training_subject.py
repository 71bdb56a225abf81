"""What an article is about: the head that tells it, and what follows for its frames."""

from dataclasses import replace

import numpy as np
import pytest

from labels.annotations import Annotation, CodedParagraph
from labels.codebook import Codebook, codebook_to_toml, read_codebook
from labels.errors import CodebookError
from tests.support.off_topic import judged_vectors, material, text_of, write_base_with_subject
from training.cross_validation import no_progress
from training.encoder.encoder import Encoder
from training.encoder.vectors import VectorStore
from training.kinds.adapted import adapt_base, base_challenger
from training.kinds.learning import learn_heads
from training.making.subject import MAX_MISSED, fit_subject, written_paragraphs
from training.model_card import SubjectCut, SubjectFacts
from training.registry.base import read_base
from training.registry.card import card_from_json, card_to_json
from training.registry.versions import Registry
from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel
from training.scoring.subject import about_article

FACTS = SubjectFacts("political violence", SubjectCut(0.3, 100, 0.01, 100, 0.9), SubjectCut(0.1, 200, 0.01, 200, 0.5))
NEVER = SubjectCut(0.0, 0, 0.0, 0, 0.0)
OFF = [text_of("other", 5000 + number) for number in range(4)]
ON = [text_of("random", 5000 + number) for number in range(4)]


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory, codebook):
    return write_base_with_subject(tmp_path_factory.mktemp("base"), codebook)


@pytest.fixture
def model(base):
    return FrameModel(base.scorer, base.card)


def classified(model, texts, **thresholds):
    return classify(model, texts, cuts_at(model, "high_recall", thresholds), explain=False)


def test_a_long_paragraph_counts_more_than_a_short_paragraph():
    logits = np.array([3.0, -3.0])
    assert about_article(FACTS, logits, ["x" * 900, "y" * 100]).name == "political violence"
    assert about_article(FACTS, logits, ["x" * 100, "y" * 900]).name == "other"
    assert about_article(FACTS, logits, ["x" * 500, "y" * 500]).score == pytest.approx(0.5)


def test_a_paragraph_alone_needs_clearer_signs_to_be_about_something_else():
    logits = np.full(2, np.log(0.2 / 0.8))
    assert about_article(FACTS, logits, ["text", "text"]).name == "other"
    assert about_article(FACTS, logits[:1], ["text"]).name == "political violence"
    assert about_article(FACTS, np.full(1, np.log(0.05 / 0.95)), ["text"]).name == "other"


def test_an_article_whose_score_is_the_threshold_is_on_the_subject():
    logits = np.zeros(2)
    score = about_article(FACTS, logits, ["text", "text"]).score
    at, above = (replace(FACTS, several=replace(FACTS.several, other_below=cut)) for cut in (score, score + 1e-9))
    assert not about_article(at, logits, ["text", "text"]).other
    assert about_article(above, logits, ["text", "text"]).other


def test_the_head_tells_articles_apart_that_it_never_saw(model):
    assert {classified(model, pair).about.name for pair in (ON[:2], ON[2:])} == {"political violence"}
    assert {classified(model, pair).about.name for pair in (OFF[:2], OFF[2:])} == {"other"}
    assert classified(model, ON).about.score > 0.9
    assert classified(model, OFF).about.score < 0.1


def test_an_article_about_something_else_carries_no_frame_and_keeps_its_scores(base, model):
    off = classified(model, OFF)
    alone = model.score_with_stances(OFF)
    free = FrameModel(base.scorer, replace(base.card, subject=SubjectFacts("war", NEVER, NEVER)))
    assert any(frame.paragraphs for frame in classified(free, OFF).article.values())
    for k, (frame, rolled) in enumerate(off.article.items()):
        assert (rolled.decision, rolled.paragraphs, rolled.uncertain, rolled.share) == ("absent", 0, 0, 0.0)
        assert rolled.stances is None
        assert rolled.score == alone.frames[:, k].max()
        for row, paragraph in enumerate(off.paragraphs):
            assert paragraph[frame].decision == "absent"
            assert paragraph[frame].stances is None
            assert paragraph[frame].score == alone.frames[row, k]


def test_a_callers_own_threshold_decides_whatever_the_article_is_about(model):
    frame = model.frames[0]
    off = classified(model, OFF, **{frame: 0.0})
    assert off.about.other
    assert off.article[frame].decision == "present"
    assert {off.article[other].decision for other in model.frames[1:]} == {"absent"}


def test_explained_and_plain_scores_say_the_same_about_an_article(model):
    cuts = cuts_at(model, "balanced", {})
    for texts in (ON, OFF, [*ON, *OFF]):
        plain, explained = (classify(model, texts, cuts, explain=explain).about for explain in (False, True))
        assert plain.name == explained.name
        assert plain.score == pytest.approx(explained.score, abs=1e-6)


def test_a_registered_model_still_tells_what_an_article_is_about(base, tmp_path):
    registry = Registry(tmp_path / "models")
    card = registry.register(base_challenger(base, seed=1))
    loaded = registry.load(card.version)
    assert loaded.card.subject == base.card.subject
    assert classified(loaded, OFF).about == classified(FrameModel(base.scorer, base.card), OFF).about


def test_an_adapted_model_keeps_the_head_of_the_base(base, codebook):
    frame = codebook.keys[0]
    paragraphs = [
        CodedParagraph(
            f"a{n}", 0, "Courier", text_of("random", n), (Annotation("mira", {frame: "advanced"} if n % 2 else {}),)
        )
        for n in range(80)
    ]
    adapted = adapt_base(paragraphs, codebook, base, VectorStore(), seed=1)
    model = FrameModel.of(adapted.pipeline, adapted.card)
    assert adapted.card.subject == base.card.subject
    assert classified(model, OFF).about == classified(FrameModel(base.scorer, base.card), OFF).about


def test_a_model_of_another_codebook_cannot_tell_and_decides_by_its_scores_alone(base, codebook):
    another = Codebook("Floods", 1, codebook.frames[:2])
    frames = another.keys
    paragraphs = [
        CodedParagraph(f"a{n}", 0, f"Paper {n % 4}", OFF[n % 2], (Annotation("mira", {frames[n % 2]: "present"}),))
        for n in range(160)
    ]
    learned = learn_heads(paragraphs, another, base.card.encoder, VectorStore(), seed=1)
    model = FrameModel.of(learned.pipeline, learned.card)
    assert learned.card.subject is None
    assert classified(model, OFF).about is None
    assert any(frame.paragraphs for frame in classified(model, OFF).article.values())


def test_the_card_of_an_older_version_has_no_subject(base):
    text = card_to_json(base.card)
    assert card_from_json(text).subject == base.card.subject
    older = card_to_json(replace(base.card, subject=None)).replace(' "subject": null,\n', "")
    assert '"subject"' not in older
    assert card_from_json(older).subject is None


def test_the_share_of_articles_missed_keeps_its_bound_and_is_counted(base_folder, codebook):
    encoder, given = Encoder.read(base_folder / "encoder"), material()
    _, facts = fit_subject(codebook.subject, encoder, given, judged_vectors(encoder, given.judged), no_progress)
    assert facts == read_base(base_folder / "encoder").card.subject
    assert (facts.several.on_subject, facts.several.others) == (120, 120)
    assert (facts.alone.on_subject, facts.alone.others) == (240, 240)
    for cut in (facts.several, facts.alone):
        assert cut.missed <= MAX_MISSED
        assert 0 < cut.other_below <= 0.5
    assert facts.several.recognised > 0.9


def test_too_few_articles_to_keep_the_bound_call_nothing_other(base_folder, codebook):
    encoder, given = Encoder.read(base_folder / "encoder"), material()
    few = replace(given, judged=given.judged[:40])
    _, facts = fit_subject(codebook.subject, encoder, few, judged_vectors(encoder, few.judged), no_progress)
    assert facts.several == SubjectCut(0.0, 20, 0.0, 120, 0.0)
    assert facts.alone == SubjectCut(0.0, 40, 0.0, 240, 0.0)


def test_written_other_news_is_learned_beside_the_written_corpus(codebook):
    written = written_paragraphs(codebook)
    others = [paragraph for paragraph in written if paragraph.origin == "other"]
    assert len({paragraph.article for paragraph in others}) > 100
    assert len(others) == len({paragraph.text for paragraph in others})
    assert len(written) - len(others) > 5000
    football = "wire-and-unrelated-03"
    assert football not in {paragraph.article for paragraph in written}


def test_a_codebook_says_what_its_articles_are_about(codebook, tmp_path):
    assert codebook.subject == "political violence"
    path = tmp_path / "codebook.toml"
    path.write_text(codebook_to_toml(codebook), encoding="utf-8")
    assert read_codebook(path).subject == codebook.subject


@pytest.mark.parametrize("subject", ['"other"', "7", '"two\\nlines"', f'"{"x" * 65}"'])
def test_a_subject_that_cannot_be_shown_is_refused(codebook, tmp_path, subject):
    path = tmp_path / "codebook.toml"
    path.write_text(
        codebook_to_toml(replace(codebook, subject="")).replace("version", f"subject = {subject}\nversion", 1)
    )
    with pytest.raises(CodebookError, match="'subject' must be a few words on one line"):
        read_codebook(path)
