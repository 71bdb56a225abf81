"""docs/exchange.md is true: its examples are read, and its table of options is that of the formats."""

import re

import pytest

from labels.codebook import read_codebook
from labels.exchange import FORMATS, ReadingOptions
from labels.exchange.annotation import METADATA
from labels.exchange.options import SPELLING
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([a-z-]+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = [
    (name, example)
    for name, section in SECTIONS.items()
    for example in re.findall(r"```(?:json|csv)\n(.*?)```", section, re.DOTALL)
]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_example_is_read_without_a_rest(name, example):
    # An object that the page breaks into several lines is a single line of a file.
    data = re.sub(r"\n ", "", example).encode()
    reading = FORMATS[name].read(data, read_codebook(), ReadingOptions(coder="mira"))
    assert reading.annotations
    assert reading.set_aside == []
    assert {frame for annotation in reading.annotations for frame in annotation.frames} >= {"foreign_hand"}


def test_every_format_has_an_example_and_its_options():
    assert set(SECTIONS) == set(FORMATS) - {"refi-qda"}
    for name, exchange_format in FORMATS.items():
        options = sorted(f"`--{SPELLING[option]}`" for option in exchange_format.options - {"coder", "coders"})
        assert f"| `{name}` | {', '.join(options) or '–'} |" in PAGE


def test_every_field_that_a_file_may_have_is_explained():
    for name in ("text", "coder", *METADATA):
        assert re.search(rf"^\| .*`{name}`", PAGE, re.MULTILINE), name
