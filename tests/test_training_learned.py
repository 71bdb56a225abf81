"""What a version was trained on: recorded with it, checked like its other files, and said in a sentence."""

import json
from dataclasses import replace

import pytest

from service.models.transfer import export_model, import_model
from service.settings import Settings
from training.dataset import is_held_out
from training.errors import ModelFileError
from training.kinds.adapted import base_challenger, data_of_both
from training.registry.base import shipped_base
from training.registry.card import card_from_json, card_to_json
from training.registry.learned import has_learned, learned_by_base
from training.registry.model_files import LEARNED_FILE
from training.registry.provenance import figures_hold_for, learned_from
from training.registry.versions import Registry


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
    path = registry.storage.folder / "versions" / "v1" / LEARNED_FILE
    path.write_bytes(path.read_bytes() + b"0123456789abcdef\n")
    with pytest.raises(ModelFileError, match=LEARNED_FILE):
        registry.learned("v1")
    with pytest.raises(ModelFileError, match=LEARNED_FILE):
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
