import json
import shutil

import pytest

from labels.annotations import DEFAULT_CORPUS, Annotation, CodedParagraph, read_corpus, write_corpus
from labels.errors import CorpusError
from labels.gold import majority, settle

GOOD = {
    "article": "a-1",
    "index": 0,
    "source": "a",
    "text": "The army moved in.",
    "annotations": [{"coder": "mira", "frames": {"militarized_response": "advanced"}}],
}


def corpus_of(tmp_path, codebook, *rows):
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return read_corpus(path, codebook)


def test_the_shipped_corpus_matches_its_datasheet(corpus, codebook):
    gold = settle(corpus, codebook)
    datasheet = " ".join((DEFAULT_CORPUS / "README.md").read_text(encoding="utf-8").split())
    assert f"{len(corpus):,} paragraphs in {len({p.article for p in corpus})} articles" in datasheet
    assert f"from {len({p.source for p in corpus})} sources" in datasheet
    for frame in codebook.keys:
        assert f"{sum(frame in g.frames for g in gold):,} {frame}" in datasheet
    assert f"{sum(not g.frames for g in gold):,} none" in datasheet
    assert not any(g.unsettled for g in gold)


def test_a_corpus_is_the_same_after_writing_and_reading(corpus, codebook, tmp_path):
    write_corpus(corpus, tmp_path / "again.jsonl")
    assert read_corpus(tmp_path / "again.jsonl", codebook) == corpus


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{", "line 2: not a JSON object"),
        ("[]", "line 2: not a JSON object"),
        ({**GOOD, "index": 1, "text": " "}, "'text' must be a non-empty string"),
        ({**GOOD, "index": -1}, "'index' must be a whole number"),
        ({**GOOD, "index": True}, "'index' must be a whole number"),
        ({**GOOD, "index": 1, "annotations": []}, "'annotations' must be a non-empty list"),
        ({**GOOD, "index": 1, "annotations": [{"frames": {}}]}, "needs a 'coder'"),
        ({**GOOD, "index": 1, "annotations": [{"coder": "m", "frames": {"rain": "present"}}]}, "no frame 'rain'"),
        ({**GOOD, "index": 1, "annotations": [{"coder": "m", "frames": {"foreign_hand": "loud"}}]}, "not a stance"),
        ({**GOOD, "index": 1, "annotations": GOOD["annotations"] * 2}, "a coder occurs twice"),
        (GOOD, "paragraph 0 of article 'a-1' occurs twice"),
    ],
)
def test_a_bad_row_is_named_and_the_whole_corpus_rejected(tmp_path, codebook, row, sentence):
    with pytest.raises(CorpusError, match=sentence):
        corpus_of(tmp_path, codebook, GOOD, row)


def test_the_message_counts_many_bad_rows_and_the_error_lists_them_all(tmp_path, codebook):
    with pytest.raises(CorpusError, match="and 2 more") as caught:
        corpus_of(tmp_path, codebook, *["{"] * 7)
    assert len(caught.value.rows) == 7


def test_a_folder_without_json_lines_is_rejected(tmp_path, codebook):
    with pytest.raises(CorpusError, match=r"no \.jsonl file"):
        read_corpus(tmp_path, codebook)
    shutil.copy(DEFAULT_CORPUS / "contrast-pairs.jsonl", tmp_path)
    assert len(read_corpus(tmp_path, codebook)) == 36


def test_gold_is_the_majority_and_a_tie_is_unsettled():
    yes, no = Annotation("a", {"rain": "present"}), Annotation("b", {})
    assert majority([yes, yes, no], "rain") is True
    assert majority([yes, no, no], "rain") is False
    assert majority([yes, no], "rain") is None


def test_the_adjudicators_decision_counts_whatever_the_majority_decided(codebook):
    annotations = (
        Annotation("author", {"foreign_hand": "advanced"}),
        Annotation("reader", {"foreign_hand": "advanced"}),
        Annotation("adjudicator", {"militarized_response": "reported"}),
    )
    paragraph = CodedParagraph("a1", 0, "radio", "The army answered the raid.", annotations)
    [gold] = settle([paragraph], codebook)
    assert (gold.frames, gold.unsettled) == (frozenset({"militarized_response"}), frozenset())
    assert gold.stances == {"militarized_response": "reported"}
