"""The coding queue: what a coder should code next."""

import numpy as np
from sqlalchemy import Connection

from labels.duplicates import representatives
from service.store import draws
from training.sampling import draw
from training.scoring.frame_model import FrameModel

OVERLAP_SHARE = 0.2
_POOL = 3000
"""Most paragraphs looked at for a draw; a larger store is cut down at random first, which the probability knows."""


def tasks_for(
    connection: Connection,
    coder: str,
    count: int,
    model: FrameModel | None,
    generator: np.random.Generator,
    *,
    whole: bool = False,
) -> list[draws.Task]:
    """Up to `count` paragraphs for a coder: those given before and not coded yet, filled up with new draws.

    With `whole`, articles are drawn and all paragraphs of each are given, so that shares of articles can be corrected.
    """
    waiting = draws.open_tasks(connection, coder, count)
    missing = count - len(waiting)
    if missing > 0 and whole:
        draws.add(connection, coder, _draw_articles(connection, missing))
    elif missing > 0:
        overlap = draws.for_overlap(connection, coder, round(missing * OVERLAP_SHARE))
        fresh = _draw(connection, missing - len(overlap), model, generator)
        draws.add(connection, coder, [*fresh, *overlap])
    return draws.open_tasks(connection, coder, count)


_ARTICLES_AT_ONCE = 10


def _draw_articles(connection: Connection, missing: int) -> list[draws.NewDraw]:
    """Ten articles, or as many as the missing paragraphs are if these are fewer; each has the same probability."""
    found, total = draws.undrawn_articles(connection, min(missing, _ARTICLES_AT_ONCE))
    return [
        draws.NewDraw(paragraph, "random", len(found) / total, overlap=False, pool=total, whole=True)
        for paragraphs in found
        for paragraph in paragraphs
    ]


def _draw(
    connection: Connection, count: int, model: FrameModel | None, generator: np.random.Generator
) -> list[draws.NewDraw]:
    sample, total = draws.undrawn(connection, _POOL)
    if not sample or count < 1:
        return []
    kept = [sample[place] for place in representatives([candidate.text for candidate in sample])]
    in_sample = len(sample) / total
    return [
        draws.NewDraw(kept[one.position], one.selection, one.inclusion_probability * in_sample, False, total)
        for one in draw(_scores(connection, kept, model), count, generator)
    ]


def _scores(
    connection: Connection, candidates: list[draws.Candidate], model: FrameModel | None
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Scores (n, k) of the candidates; stored ones where there are, else the model's. Without a model all are alike."""
    if model is None:
        return np.full((len(candidates), 1), 0.5)
    frames = model.card.frame_keys
    stored = draws.scores_of(connection, candidates, frames, model.card.version)
    found = np.full((len(candidates), len(frames)), np.nan)
    for row, candidate in enumerate(candidates):
        known = stored.get((candidate.article_number, candidate.paragraph), {})
        if len(known) == len(frames):
            found[row] = [known[frame] for frame in frames]
    unscored = np.flatnonzero(np.isnan(found[:, 0]))
    if len(unscored):
        found[unscored] = model.score([candidates[row].text for row in unscored])
    return found
