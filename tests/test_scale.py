"""A service that has much answers as if it had little. `make soak` runs the same with more."""

import pytest

from tests.support.endurance import endure
from tests.support.length import full
from tests.support.scale import many_annotations, many_keys


@pytest.fixture
def folder(models_folder):
    return models_folder.parent


def test_many_keys_are_all_let_in_and_those_that_are_revoked_are_not(folder):
    keys = full(10_000, short=60)
    figures = many_keys(folder, keys)
    assert (figures["requests"], figures["failed"], figures["revoked keys let in"]) == (2 * keys, 0, 0)
    assert figures["MiB after"] < figures["MiB before"] + 60


def test_while_many_annotations_are_imported_others_store_and_read(folder):
    annotations = full(100_000, short=2000)
    figures = many_annotations(folder, annotations)
    assert (figures["annotations"], figures["failed"]) == (annotations, 0)
    # Of two thousand annotations the file is read in a moment; what is measured is whether others wait for the lock.
    assert figures["ms for a read meanwhile (p99)"] < 5000
    assert figures["ms for a store meanwhile (p99)"] < 5000


def test_a_mixed_load_is_timed_by_what_was_asked(folder):
    figures = endure(folder, 3)
    assert figures["failed"] == 0
    assert 0 < figures["ms for a classification (median)"] <= figures["ms for a classification (p99)"]
