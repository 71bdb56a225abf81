"""Behaviour checks, warnings about small frames, and the appendix of a paper."""

import csv
import json
import re
import tomllib
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import LabelBinarizer

from labels.annotations import Annotation, CodedParagraph, corpus_row, read_corpus
from labels.normalise import normalise
from tests.support.files import write_lines
from tests.support.weather import WEATHER, weather
from training import behaviour
from training.behaviour import check_behaviour
from training.reports.card import card_to_markdown
from training.reports.latex import escaped
from training.scoring.frame_model import FrameModel, Scored


@pytest.fixture(scope="module")
def part(part_of_the_corpus, codebook):
    return read_corpus(part_of_the_corpus, codebook)


@pytest.fixture(scope="module")
def checks(model, codebook, corpus):
    return {check.name: check for check in check_behaviour(model, codebook, corpus)}


def test_the_shipped_model_passes_every_check(checks):
    failed = [check for check in checks.values() if not check.passed]
    assert failed == []
    assert {check.kind for check in checks.values()} == {"invariance", "direction"}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("other people for every name", 1500),
        ("other groups for every name", 1500),
        ("other countries for every state", 400),
        ("American for British spelling", 400),
        ("all in capitals", 2000),
    ],
)
def test_a_check_of_invariance_changes_many_paragraphs(checks, name, least):
    assert checks[name].tried > least


def test_every_country_that_is_put_into_paragraphs_is_a_state_of_the_codebook(codebook):
    table = tomllib.loads(Path(behaviour.__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    assert {normalise(country) for country in table["names"]["countries"]} <= set(codebook.classes["states"])


@pytest.mark.parametrize(
    ("classes", "failing"), [(True, "other countries for every state"), (False, "other countries for every name")]
)
def test_a_model_that_leans_on_names_and_ignores_negation_fails(challenger, codebook, part, classes, failing):
    codebook = codebook if classes else replace(codebook, classes={})

    class Leaning:
        card = challenger.card
        frames = challenger.card.frame_keys

        def score_with_stances(self, texts):
            frames = np.array([[0.9 if "Iran" in text or "Nigeria" in text else 0.1] * 4 for text in texts])
            return Scored(frames, np.full((len(texts), 4, 3), 1 / 3))

        def score(self, texts):
            return self.score_with_stances(texts).frames

    failed = {check.name for check in check_behaviour(Leaning(), codebook, part) if not check.passed}
    assert failing in failed
    assert "foreign_hand: lower" in failed
    assert "foreign_hand: contested" in failed


def test_a_frame_learned_from_few_paragraphs_gets_a_warning(challenger):
    assert challenger.card.warnings == ()
    few = replace(
        challenger.card, data=replace(challenger.card.data, carrying={"foreign_hand": 29, "grievance_driven": 30})
    )
    [warning] = few.warnings
    assert "'foreign_hand' was learned from 29 paragraphs" in warning
    assert f"**Warning:** {warning}" in card_to_markdown(few.registered("v1", "", ""))


def test_a_small_frame_is_warned_of_when_it_is_trained_and_in_the_list_of_models(framing, tmp_path):

    rows = weather()
    thinned = [p for n, p in enumerate(rows) if "storm" not in p.annotations[0].frames or n // 4 % 2]
    (tmp_path / "weather.toml").write_text(WEATHER, encoding="utf-8")
    corpus = write_lines(tmp_path / "weather.jsonl", [corpus_row(p) for p in thinned])
    place = {"data_dir": tmp_path, "corpus": corpus, "codebook": tmp_path / "weather.toml"}
    done = framing("train", **place)
    assert "Warning: 'storm' was learned from" in " ".join(done.stdout.split())
    [listed] = json.loads(framing("models", "--json", **place).stdout)["models"]
    assert any("'storm'" in warning for warning in listed["warnings"])


UNSEEN = [
    CodedParagraph("u1", 0, "Harbour Post", "The army killed nine militants in a raid.", (
        Annotation("ann", {"militarized_response": "advanced"}), Annotation("ben", {"militarized_response": "reported"})
    )),
    CodedParagraph("u2", 0, "Harbour Post", "It rained on the apples.", (Annotation("ann", {}), Annotation("ben", {}))),
]  # fmt: skip


@pytest.fixture
def appendix(framing, models_folder, part_of_the_corpus, tmp_path):
    coded = str(write_lines(tmp_path / "unseen.jsonl", [corpus_row(p) for p in UNSEEN]))
    place = {"data_dir": models_folder.parent, "corpus": part_of_the_corpus}
    done = framing("report", str(tmp_path / "appendix"), "--coded", coded, "--json", **place)
    assert done.returncode == 0, done.stderr
    return tmp_path / "appendix", set(json.loads(done.stdout)["files"])


def test_the_appendix_has_methods_tables_plots_card_and_datasheet_that_agree_with_the_card(appendix, challenger, part):
    folder, written = appendix
    assert {"methods.tex", "references.bib", "model-card.md", "datasheet.md", "figures/f1.pdf"} <= written
    methods = (folder / "methods.tex").read_text(encoding="utf-8")
    macro = challenger.card.left_out.macro.f1
    assert f"{macro.value:.2f} [{macro.low:.2f}, {macro.high:.2f}]" in methods
    assert "but for words of states, which all weigh the same" in methods
    keys = set(re.findall(r"\\cite[pt]\{(\w+)\}", methods))
    references = (folder / "references.bib").read_text(encoding="utf-8")
    assert keys == set(re.findall(r"^@\w+\{(\w+),", references, re.MULTILINE))
    rows = list(csv.DictReader((folder / "tables" / "frames.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["Frame"] for row in rows] == [*challenger.card.frames, "macro", "micro"]
    for name in written:
        if name.endswith(".tex"):
            text = (folder / name).read_text(encoding="utf-8")
            assert text.count("{") == text.count("}")
            assert sorted(re.findall(r"\\begin\{(\w+)", text)) == sorted(re.findall(r"\\end\{(\w+)", text))
    assert "On 2 coded paragraphs of 2 articles from sources that it was not trained on" in methods
    validated = csv.DictReader((folder / "tables" / "validation.csv").read_text(encoding="utf-8").splitlines())
    [seen] = [row for row in validated if row["Frame"] == "militarized_response"]
    assert (seen["Support"], seen["F1"].split()[0]) == ("1", "1.00")
    for label in re.findall(r"\\ref\{tab:([\w-]+)\}", methods):
        assert f"tables/{label}.tex" in written
    assert f"{len(part):,} paragraphs" in (folder / "datasheet.md").read_text(encoding="utf-8")


def test_an_appendix_with_nothing_to_validate_on_is_refused_and_not_begun(framing, models_folder, tmp_path):
    empty = str(write_lines(tmp_path / "empty.jsonl", []))
    done = framing("report", str(tmp_path / "appendix"), "--coded", empty, data_dir=models_folder.parent)
    assert done.returncode == 1
    assert "There is no coded paragraph to validate the model on." in " ".join(done.stderr.split())
    assert not (tmp_path / "appendix").exists()


def test_what_latex_would_take_for_a_command_is_escaped():
    assert escaped(r"50% of {a_b} & \c~d^e #1 $2") == (
        r"50\% of \{a\_b\} \& \textbackslash{}c\textasciitilde{}d\textasciicircum{}e \#1 \$2"
    )


def test_the_command_prints_and_writes_the_table_of_behaviour(framing, models_folder, tmp_path):
    done = framing("behaviour", "--json", "--markdown", str(tmp_path / "b.md"), data_dir=models_folder.parent)
    assert done.returncode == 0, done.stderr
    assert all(check["passed"] for check in json.loads(done.stdout))
    assert "| all in capitals |" in (tmp_path / "b.md").read_text(encoding="utf-8")


def test_a_codebook_with_other_frames_is_checked_for_what_it_has(challenger, codebook, corpus):
    card = replace(
        challenger.card, frames={f"other_{key}": key for key in challenger.card.frames}, stances=(), folds=None
    )
    cuts = {point: {f"other_{key}": cut for key, cut in by_frame.items()} for point, by_frame in card.cuts.items()}
    model = FrameModel.of(_frames_only(challenger.pipeline), replace(card, cuts=cuts))
    paragraphs = [CodedParagraph("a", 0, "s", corpus[0].text, (Annotation("ann", {}),))]
    assert {check.kind for check in check_behaviour(model, codebook, paragraphs)} == {"invariance"}


def _frames_only(pipeline):
    import numpy as np

    without_stances = deepcopy(pipeline)
    classifier = without_stances.named_steps["frames"]
    classifier.estimators_ = classifier.estimators_[:4]
    classifier.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(np.eye(2, 4, dtype=int))
    return without_stances
