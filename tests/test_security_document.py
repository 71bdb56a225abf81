"""SECURITY.md promises nothing without a test: each of its sentences names tests, and these exist."""

import ast
import re
from functools import cache

import pytest

from tests.support.paths import ROOT

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_TEST = re.compile(r"`(test_\w+)::(test_\w+)`")
# Sections that promise nothing.
_WITHOUT_TESTS = ("Reporting a vulnerability", "What is not protected", "How to read this page")


def _sections():
    """The points of each section of SECURITY.md, by its heading."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    heads = list(_SECTION.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    bodies = {head[1]: text[head.end() : end] for head, end in zip(heads, ends, strict=True)}
    return {head: re.findall(r"^- .+(?:\n  .+)*", body, re.MULTILINE) for head, body in bodies.items()}


@cache
def _tests_of(module):
    tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("section", [name for name in _sections() if name not in _WITHOUT_TESTS])
def test_every_point_names_a_test_that_exists(section):
    points = _sections()[section]
    assert points, section
    for point in points:
        named = _TEST.findall(point)
        assert named, f"no test is named: {point}"
        for module, name in named:
            assert name in _tests_of(module), f"tests/{module}.py has no {name}"


def test_the_page_says_what_is_not_protected():
    assert len(_sections()["What is not protected"]) >= 5
