"""`framing train` on corpora that do not suffice, of the kinds that public bug reports describe."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from labels.annotations import Annotation, write_corpus
from training.dataset import is_held_out
from training.registry.versions import Registry

CASES = Path(__file__).with_name("cases") / "files"


def is_refused(done, folder):
    """Whether a command ended with a single sentence on standard error, and registered nothing."""
    return (
        done.returncode == 1
        and done.stdout == ""
        and done.stderr.strip().startswith("Error: ")
        and "Traceback" not in done.stderr
        and Registry(folder / "models").versions() == []
    )


@pytest.fixture
def trained(framing_process, tmp_path):
    """Trains a model of words from nothing on a corpus."""
    return lambda path, **variables: framing_process("train", data_dir=tmp_path, corpus=path, **variables)


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("frame_always", ["'foreign_hand' has 0 paragraphs that do not carry it; 10 are needed"]),
        (
            "one_article",
            ["come from a single article", "two articles are needed to judge a model of 'blame_on_leadership'"],
        ),
        ("nine_positives", ["'foreign_hand' has 9 paragraphs that carry it; 10 are needed"]),
        (
            "ten_rows",
            [
                "'blame_on_leadership' has 8 paragraphs that carry it",
                "'foreign_hand' has 1 paragraph that carries it",
                "'grievance_driven' has 1 paragraph that carries it",
                "'militarized_response' has 2 paragraphs that carry it; 10 are needed",
            ],
        ),
    ],
)
def test_a_corpus_that_does_not_suffice_is_refused_by_frame_and_by_what_is_missing(trained, tmp_path, name, sentences):
    done = trained(CASES / f"{name}.jsonl")
    assert is_refused(done, tmp_path), done.stderr
    for sentence in sentences:
        assert sentence in done.stderr


def test_only_the_frame_that_lacks_paragraphs_is_named(trained, tmp_path):
    error = trained(CASES / "nine_positives.jsonl").stderr
    assert re.findall(r"'(\w+)' has", error) == ["foreign_hand"]


def test_a_second_article_that_is_held_out_does_not_count(framing, tmp_path, corpus):
    names = [f"article {number}" for number in range(100)]
    held_out, learned = next(filter(is_held_out, names)), next(name for name in names if not is_held_out(name))
    paragraphs = [
        replace(paragraph, article=held_out if number % 4 == 0 else learned, index=number)
        for number, paragraph in enumerate(corpus[:1000])
    ]
    write_corpus(paragraphs, tmp_path / "two.jsonl")
    done = framing("train", data_dir=tmp_path, corpus=tmp_path / "two.jsonl")
    assert is_refused(done, tmp_path)
    assert "outside the held-out articles come from a single article" in done.stderr


@pytest.mark.parametrize("frames", [{}, {"foreign_hand": "reported"}])
def test_annotations_that_all_say_the_same_are_refused(framing, tmp_path, corpus, frames):
    same = [replace(paragraph, annotations=(Annotation("mira", frames),)) for paragraph in corpus[:200]]
    write_corpus(same, tmp_path / "same.jsonl")
    done = framing("train", data_dir=tmp_path, corpus=tmp_path / "same.jsonl")
    assert is_refused(done, tmp_path)
    assert "'grievance_driven' has 0 paragraphs that carry it" in done.stderr
    assert ("'foreign_hand' has 0 paragraphs that do not carry it" in done.stderr) == bool(frames)


@pytest.mark.parametrize("start", ["nothing", "base"])
def test_an_empty_corpus_is_refused_whatever_training_starts_from(framing, tmp_path, start):
    (tmp_path / "empty.jsonl").touch()
    done = framing("train", data_dir=tmp_path, corpus=tmp_path / "empty.jsonl", start=start)
    assert is_refused(done, tmp_path)
    assert "empty.jsonl cannot be read as annotated paragraphs: it holds none" in done.stderr


def test_a_frame_that_only_one_article_carries_is_learned_without_a_fault(framing, tmp_path, corpus):
    name = next(f"article {number}" for number in range(100) if not is_held_out(f"article {number}"))
    paragraphs = [
        replace(paragraph, article=name, index=number)
        if "foreign_hand" in paragraph.annotations[0].frames
        else paragraph
        for number, paragraph in enumerate(corpus[:1000])
    ]
    write_corpus(paragraphs, tmp_path / "a.jsonl")
    done = framing("train", "--json", data_dir=tmp_path, corpus=tmp_path / "a.jsonl")
    assert json.loads(done.stdout) == {"version": "v1", "champion": True}


@pytest.mark.parametrize("start", ["nothing", "base"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (lambda number: f"{number} --- {number * 7} %", "paragraphs outside the held-out articles are without words"),
        (lambda _number: "[Removed]", "paragraphs outside the held-out articles have the same text"),
    ],
)
def test_paragraphs_without_words_or_all_alike_are_refused(framing, tmp_path, corpus, start, text, sentence):
    paragraphs = [replace(paragraph, text=text(number)) for number, paragraph in enumerate(corpus[:1000])]
    write_corpus(paragraphs, tmp_path / "empty.jsonl")
    done = framing("train", data_dir=tmp_path, corpus=tmp_path / "empty.jsonl", start=start)
    assert is_refused(done, tmp_path)
    assert "There is nothing to learn from" in done.stderr
    assert sentence in done.stderr
