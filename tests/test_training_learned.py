"""What a version was trained on: recorded with it, checked like its other files, and said in a sentence."""

import json
from dataclasses import replace

import pytest

from service.models.transfer import export_model, import_model
from service.settings import Settings
from training.dataset import is_held_out
from training.encoder.files import DIGESTS_FILE
from training.errors import ModelFileError, ValidationDataError
from training.kinds.adapted import base_challenger, data_of_both
from training.registry.base import shipped_base
from training.registry.card import card_from_json, card_to_json
from training.registry.learned import digests_of, has_learned, learned_by_base
from training.registry.provenance import figures_hold_for, learned_from
from training.registry.versions import Registry
from training.reports import report
from training.reports.trained_on import Screen
from training.scoring.frame_model import FrameModel


@pytest.fixture
def registry(tmp_path, challenger):
    registry = Registry(tmp_path / "here" / "models")
    registry.register(challenger)
    return registry


def test_a_version_knows_the_paragraphs_that_it_learned_from_and_no_others(registry, corpus):
    learned = registry.learned("v1")
    for held_out in (True, False):
        texts = [p.text for p in corpus if is_held_out(p.article) is held_out and len(p.annotations) == 1][:50]
        assert {has_learned(learned, text) for text in texts} == {not held_out}
    assert not has_learned(learned, "Nobody has written this sentence before.")


def test_a_file_that_was_changed_is_refused(registry):
    path = registry.storage.folder / "versions" / "v1" / DIGESTS_FILE
    path.write_bytes(path.read_bytes() + b"0123456789abcdef\n")
    with pytest.raises(ModelFileError, match=DIGESTS_FILE):
        registry.learned("v1")
    with pytest.raises(ModelFileError, match=DIGESTS_FILE):
        registry.files("v1")


def test_the_file_travels_with_the_model(registry, tmp_path):
    here, there = (
        Settings(data_dir=tmp_path / name, model_key="a key that both installations have") for name in ("here", "there")
    )
    export_model(here, "v1", tmp_path / "v1.zip")
    version = import_model(there, tmp_path / "v1.zip").version
    assert Registry(there.models_location).learned(version) == registry.learned("v1")


def test_of_a_version_without_the_file_that_of_its_base_is_known(registry):
    base = base_challenger(shipped_base("words"), seed=1)
    assert base.learned == learned_by_base("words")
    card = replace(base.card, hyperparameters={**base.card.hyperparameters, "base": "2026-01-01"})
    older = registry.register(replace(base, card=card, learned=frozenset()))
    assert older.learned_sha256 == ""
    assert registry.load(older.version).card == older
    assert registry.learned(older.version) == learned_by_base("words") != frozenset()


def test_a_sentence_says_what_a_model_learned_from_and_who_annotated_it(challenger):
    base = shipped_base("encoder").card
    assert learned_from(base) == (
        f"The model learned from {base.data.paragraphs:,} paragraphs of news and a sample of the corpus written for "
        "this project, annotated by language-model coders (the base model)."
    )
    own = replace(challenger.card.data, paragraphs=120, coders={"Ana": 80, "Ben": 60}, sources=("Harbour Post",))
    adapted = replace(base, data=data_of_both(base.data, own))
    assert learned_from(adapted).endswith(
        "(the base model); and from 120 paragraphs of your own, annotated by Ana (80) and Ben (60)."
    )
    assert "texts from Harbour Post; for other texts it has to be measured again" in figures_hold_for(adapted)
    assert "news annotated for the base model by language-model coders" in figures_hold_for(base)
    assert "reader (" in learned_from(challenger.card)
    assert "language-model coders of the shipped corpus" in learned_from(challenger.card)


def test_the_card_of_an_earlier_version_is_read_and_says_that_it_names_no_coders(challenger):
    content = json.loads(card_to_json(challenger.card))
    for name in ("coders", "own_sources", "of_the_base"):
        del content["data"][name]
    del content["learned_sha256"]
    assert "does not name" in learned_from(card_from_json(json.dumps(content)))


def test_an_appendix_refuses_what_the_model_learned_from_or_says_what_became_of_it(
    model, codebook, corpus, monkeypatch, tmp_path
):
    monkeypatch.setattr(report, "check_behaviour", lambda *_: [])
    coded, screen = corpus[:30], Screen(digests_of([corpus[0].text]))
    with pytest.raises(ValidationDataError, match="The model learned from 1 of these 30 paragraphs"):
        report.write_report(tmp_path / "appendix", model, codebook, coded, coded, screen=screen)
    assert not (tmp_path / "appendix").exists()
    screen = replace(screen, choice="leave-out")
    report.write_report(tmp_path / "appendix", model, codebook, coded, coded, screen=screen)
    methods = " ".join((tmp_path / "appendix" / "methods.tex").read_text(encoding="utf-8").split())
    assert "On 29 coded paragraphs" in methods
    assert "1 paragraph that the model learned from was left out." in methods
    for name in ("methods.tex", "model-card.md", "datasheet.md"):
        content = (tmp_path / "appendix" / name).read_text(encoding="utf-8")
        assert learned_from(model.card) in content
        assert figures_hold_for(model.card) in content


def test_the_methods_paragraph_of_an_adapted_model_of_words_describes_its_base(
    codebook, corpus, monkeypatch, tmp_path, challenger
):
    monkeypatch.setattr(report, "check_behaviour", lambda *_: [])
    base = shipped_base("words")
    data = data_of_both(base.card.data, challenger.card.data)
    card = replace(base.card, hyperparameters={"base": "…", "own_paragraphs": 7, "pull": {}}, data=data)
    model = FrameModel(base.scorer, card.registered("v2", "0" * 64, "1" * 64))
    report.write_report(tmp_path, model, codebook, corpus[:30])
    methods = " ".join((tmp_path / "methods.tex").read_text(encoding="utf-8").split())
    assert "in which the forms of a word and the words of a concept share weights" in methods
    assert "The weights of the base model were fitted to 7 more paragraphs" in methods
