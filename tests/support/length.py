"""Tests that get better with time have a short form in the suite and a full form in `make test-full`."""

import os

FULL = bool(os.environ.get("FRAMING_TESTS_FULL"))


def full(amount: int, *, short: int) -> int:
    """The amount of rows, examples or seconds in the full or in the short form."""
    return amount if FULL else short
