"""Coverage-guided fuzzing for seconds; `make fuzz` runs it for as long as you like."""

from importlib.util import find_spec

import pytest

from tests.support.fuzzing import EVERYTHING, fuzz
from tests.support.length import full


@pytest.mark.skipif(find_spec("atheris") is None, reason="has wheels for Linux on x86-64 only")
def test_what_strangers_send_fails_by_a_sentence_only():
    inputs, failure = fuzz(EVERYTHING, full(12, short=6))
    assert failure == ""
    assert inputs > 100
