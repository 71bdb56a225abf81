"""Decisions that change when other names stand in a text."""

import random
from dataclasses import replace

import numpy as np
import pytest

from labels.annotations import Annotation, CodedParagraph
from service.cli.evaluation import _notes
from training.finetuning.names import STATES
from training.reports.coded_files import DescribedParagraph
from training.reports.coded_report import evaluate_coded
from training.reports.coded_tables import coded_markdown
from training.reports.renaming import NameSwap, renamed_figures, replacements
from training.scoring.frame_model import Scored
from training.validation import judge

NAMES = (
    (("Lowmark", "the Lowmark Union"), ("Lowmarker",), ("Port Low",)),
    (("Highmark",), ("Highmarkese",), ("Highton",)),
    (("Farland",), ("Farlander",), ("Farbridge",)),
)


def test_a_name_its_people_and_its_capital_become_those_of_the_same_other_name():
    swap = NameSwap(NAMES[:1], NAMES[1:2])
    text = "Lowmark warned. Lowmarkers in Port Low, and the Lowmark Union; Lowmarkist, lowmark."
    assert swap(text) == "Highmark warned. Highmarkese in Highton, and Highmark; Lowmarkist, lowmark."


def test_different_names_become_different_names_that_the_text_does_not_name():
    swap = NameSwap(NAMES, NAMES)
    assert swap("Lowmark and Highmark fought.") == "Farland and Highmark fought."
    others = swap("Lowmark fought.").split()[0]
    assert others in {"Highmark", "Farland"}
    assert swap("Lowmark fought.") == swap("Lowmark fought.")


def test_only_a_people_has_a_plural():
    swap = NameSwap(NAMES[:1], NAMES[2:])
    assert swap("Lowmarks, Lowmarkers") == "Lowmarks, Farlanders"


@pytest.mark.parametrize(
    ("name", "text", "retained"),
    [
        ("people with a title, by invented people", "President Mara Dol met Dol's rival. Dol won.", "Mara"),
        ("people with a title, by invented people", "Prime Minister Omar al-Sard resigned, and Sard left.", "Sard"),
        ("the same armed groups, by invented ones", "Fighters of the Taliban and of Taliban allies fled.", "Taliban"),
        ("states that it never swaps, by others of these", "The U.S. and American troops; Washington.", "American"),
        ("the same states, by others that it never swaps", "Kenya and Kenyans in Nairobi.", "Kenya"),
    ],
)
def test_every_mention_of_a_name_is_replaced(name, text, retained):
    changed = replacements()[name](text)
    assert changed != text
    assert retained not in changed


def test_what_only_looks_like_a_name_stays():
    people = replacements()["people with a title, by invented people"]
    for text in ("The General Assembly met.", "A Minister of the house.", "Mara Dol met a general."):
        assert people(text) == text


def test_no_replacement_is_a_name_that_fine_tuning_swaps_where_it_says_so():
    swapped = {form for state in STATES for form in state}
    generator = random.Random(1)
    for name in ("the same states, by others that it never swaps", "states that it never swaps, by others of these"):
        text = ", ".join(generator.sample(sorted(swapped), 5)) + ", Japan, Cuba"
        assert not swapped & set(replacements()[name](text).split(", ")) - set(text.split(", "))


def coded(number, text):
    return CodedParagraph(f"a{number // 2}", number, "Harbour Post", text, (Annotation("mira", {}),))


class Leaning:
    """A model for which a frame is present wherever Kenya is named."""

    def __init__(self, model):
        self.card, self.frames = model.card, model.frames

    def score_with_stances(self, texts):
        frames = np.array([[0.99 if "Kenya" in text else 0.0] + [0.0] * 3 for text in texts])
        return Scored(frames, np.full((len(texts), 4, 3), 1 / 3))

    def score(self, texts):
        return self.score_with_stances(texts).frames


@pytest.fixture(scope="module")
def paragraphs():
    return [coded(number, f"{'Kenya' if number % 4 else 'Peru'} sent envoys on day {number}.") for number in range(40)]


def test_decisions_that_lean_on_a_name_are_counted(model, codebook, paragraphs):
    figures = {entry.name: entry for entry in renamed_figures(*judged(Leaning(model), codebook, paragraphs))}
    never = figures["the same states, by others that it never swaps"]
    # A single decision of the four on a paragraph changes, in three of four paragraphs.
    assert (never.paragraphs, never.changed.value) == (40, pytest.approx(30 / 160))
    assert never.moved == never.changed
    assert never.changed.low < never.changed.value < never.changed.high
    assert "people with a title, by invented people" not in figures


def judged(model, codebook, paragraphs):
    return model, judge(model, codebook, paragraphs)


def test_the_report_has_the_table_and_a_note_where_names_matter(model, codebook, paragraphs):
    report = evaluate_coded(Leaning(model), codebook, list(map(DescribedParagraph, paragraphs)))
    assert "| the same states, by others that it never swaps | 40 | 18.8% [" in coded_markdown(report)
    [note] = [note for note in _notes(report) if "who is named" in note]
    assert "more than 3% of decisions change" in note
    unmoved = tuple(replace(entry, changed=replace(entry.changed, low=0.01)) for entry in report.renamed)
    assert not [note for note in _notes(replace(report, renamed=unmoved)) if "who is named" in note]


def test_paragraphs_that_name_nobody_have_no_table(model, codebook):
    report = evaluate_coded(model, codebook, [DescribedParagraph(coded(0, "It rained on the apples."))])
    assert report.renamed == ()
    assert "other names" not in coded_markdown(report)
