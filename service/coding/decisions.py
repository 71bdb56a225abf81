"""What very many annotations decide, in the frames of today's codebook, and whether they differ; read fast."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Text, cast

from labels.agreement import Differences, differences
from labels.annotations import Annotation, annotation_today
from labels.codebook import Codebook
from service.store.tables import annotations

# As text, so that each wording is parsed once: many decisions are the same.
FRAMES = cast(annotations.c.frames, Text).label("frames")
COVERED = cast(annotations.c.covered, Text).label("covered")
# The columns from which `DecisionsToday` reads a decision.
DECISION = (FRAMES, COVERED, annotations.c.codebook_version)


class DecisionsToday:
    """Decisions in rows of `DECISION`, in the frames of today's codebook; their coder is not named."""

    def __init__(self, codebook: Codebook) -> None:
        self._codebook = codebook
        self._read: dict[tuple[str, str | None, int], Annotation] = {}
        self._compared: dict[tuple[int, ...], Differences] = {}

    def of(self, row: Row[Any]) -> Annotation:
        """The decision in a row."""
        key = row.frames, row.covered, row.codebook_version
        decision = self._read.get(key)
        if decision is None:
            covered = None if row.covered is None else json.loads(row.covered)
            frames = json.loads(row.frames)
            decision = annotation_today("", frames, self._codebook, covered=covered, version=row.codebook_version)
            self._read[key] = decision
        return decision

    def differences_of(self, rows: Sequence[Row[Any]]) -> Differences:
        """The frames on which decisions of the same unit differ; those of the same decisions are compared once."""
        decisions = [self.of(row) for row in rows]
        key = tuple(map(id, decisions))  # they stay as long as this object does
        compared = self._compared.get(key)
        if compared is None:
            compared = self._compared[key] = differences(decisions)
        return compared
