"""The texts of outlets in ../shared/real teach and judge models; they belong to their outlets and stay out of here.

No twelve words in a row of them stand in a file of the repository. Words are runs of letters and digits, case aside.
"""

import gzip
import json
import os
import re
import subprocess
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import pytest

from tests.support.paths import ROOT, SHARED

WORDS = 12
REAL = SHARED / "real"
_FILES = ("coded.jsonl", "articles.jsonl", "other.jsonl", "uncoded.jsonl.gz")
_FIELDS = ("text", "title", "before", "after")
_WORD = re.compile(r"\w+")
# Texts are looked up so many at a time: enough for fast arithmetic, and little memory.
_TEXTS = 20_000


class Passages:
    """Every twelve words in a row of some files, as hashes, to look up those of other texts."""

    def __init__(self, files: dict[str, str]) -> None:
        self._vocabulary: dict[str, int] = {}
        hashes = []
        for text in files.values():
            words = _WORD.findall(text.casefold())
            self._vocabulary.update((word, _number(word)) for word in set(words) - self._vocabulary.keys())
            hashes.append(_hashes(np.array([self._vocabulary[word] for word in words], dtype=np.uint64)))
        self._files = files
        self._ends = np.cumsum([len(of_file) for of_file in hashes])
        every = np.concatenate(hashes)
        order = np.argsort(every, kind="stable")
        self._hashes, self._order = every[order], order

    def shared_with(self, texts: Iterator[str]) -> Iterator[str]:
        """Describes the place of each passage that also stands in any of the texts, which are read in parts."""
        numbers: list[int] = []
        read = 0
        for read, text in enumerate(texts, 1):
            # A word that no file has breaks a passage: 0 stands for it, and between two texts.
            numbers.extend(self._vocabulary.get(word, 0) for word in _WORD.findall(text.casefold()))
            numbers.append(0)
            if read % _TEXTS == 0:
                yield from self._hits(numbers)
                numbers = []
        yield from self._hits(numbers)
        assert read, "there are no texts"

    def _hits(self, numbers: list[int]) -> Iterator[str]:
        wanted = np.unique(_hashes(np.array(numbers, dtype=np.uint64)))
        places = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        for place in places[self._hashes[places] == wanted].tolist():
            file = int(np.searchsorted(self._ends, self._order[place], side="right"))
            name, text = list(self._files.items())[file]
            start = int(self._order[place] - (self._ends[file - 1] if file else 0))
            yield f"{name}: {' '.join(_WORD.findall(text.casefold())[start : start + WORDS])}"


def _number(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")


def _hashes(numbers: np.ndarray) -> np.ndarray:
    """A hash of each `WORDS` numbers in a row, (n - WORDS + 1,), modulo 2^64."""
    length = len(numbers) - WORDS + 1
    total = np.zeros(max(length, 0), dtype=np.uint64)
    for place in range(WORDS if length > 0 else 0):
        total = total * np.uint64(0x9E3779B97F4A7C15) + numbers[place : place + length]
    return total


def _files_of_the_repository() -> dict[str, str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name]
    contents = {str(path.relative_to(ROOT)): path.read_bytes() for path in paths if path.is_file()}
    # Files with a null byte are pictures, weights and the like.
    return {name: data.decode(errors="replace") for name, data in contents.items() if b"\0" not in data}


def _real_texts() -> Iterator[str]:
    for name in _FILES:
        path = REAL / name
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                for part in (row, *row.get("paragraphs", ())):
                    yield from (part[field] for field in _FIELDS if part.get(field))


def test_a_passage_of_twelve_words_is_recognised_across_lines_and_case():
    words = [f"word{number}" for number in range(20)]
    passages = Passages({"notes.md": "\n".join(words), "empty.md": ""})
    shared = " ".join(words[3:15]).upper()
    assert list(passages.shared_with(iter([f"Before, {shared}! After.", "Other words."]))) == [
        f"notes.md: {' '.join(words[3:15])}"
    ]
    assert list(passages.shared_with(iter([" ".join(words[3:14]), " ".join(words[14:])]))) == []


def test_no_twelve_words_of_the_outlets_stand_in_the_repository():
    if not REAL.is_dir():
        if os.environ.get("FRAMING_TESTS_REQUIRE_SHARED"):
            pytest.fail(f"{REAL} is missing")
        pytest.skip(f"{REAL} is missing")
    assert list(Passages(_files_of_the_repository()).shared_with(_real_texts())) == []
