"""Fuzzing towards code not run before, for seconds; `make fuzz` does it for as long as one likes."""

from importlib.util import find_spec

import pytest

from benchmarks.fuzzing import EVERYTHING, fuzz


@pytest.mark.skipif(find_spec("atheris") is None, reason="has wheels for Linux on x86-64 only")
def test_what_strangers_send_fails_by_a_sentence_only():
    inputs, failure = fuzz(EVERYTHING, 6)
    assert failure == ""
    assert inputs > 500
