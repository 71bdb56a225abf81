"""The coding queue: the paragraphs that a coder should code next."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from labels.duplicates import grouped, representatives
from service.store import draws
from training.sampling import draw
from training.scoring.frame_model import FrameModel

# Share of the paragraphs that another coder receives too, so that agreement can be measured.
OVERLAP_SHARE = 0.2
# A draw considers at most this many paragraphs, a random sample of those in a larger store. The inclusion probability
# takes the sample into account.
MAX_POOL = 3000
ARTICLES_AT_ONCE = 10
# Paragraphs that are scored while a coder waits: a second or two of an encoder.
_MOST_NEW_SCORES = 30


def tasks_for(
    connection: Connection,
    coder: str,
    count: int,
    model: FrameModel | None,
    generator: np.random.Generator,
    *,
    whole: bool = False,
    days: int = 0,
) -> list[draws.AssignedParagraph]:
    """Up to `count` paragraphs for a coder: those drawn before and not coded yet, filled up with new draws.

    Assigned paragraphs come first; while any waits, nothing else is drawn. With `whole`, articles are drawn with all
    their paragraphs, so that shares of articles can be corrected. What any coder received more than so many `days` ago
    and nobody annotated can be drawn again; 0: it stays with its coder.
    """
    waiting = draws.open_tasks(connection, coder, count)
    if len(waiting) < count and days and draws.return_due(connection, datetime.now(UTC) - timedelta(days=days)):
        waiting = draws.open_tasks(connection, coder, count)
    if waiting and waiting[0].assignment is not None:
        return waiting
    missing = count - len(waiting)
    if missing > 0 and whole:
        draws.add(connection, coder, _draw_articles(connection, missing))
    elif missing > 0:
        overlap = draws.for_overlap(connection, coder, round(missing * OVERLAP_SHARE))
        fresh = _draw(connection, missing - len(overlap), model, generator)
        draws.add(connection, coder, [*fresh, *overlap])
    return draws.open_tasks(connection, coder, count)


def why_fewer(connection: Connection, tasks: Sequence[draws.AssignedParagraph], *, whole: bool) -> str:
    """Says why a coder receives only these paragraphs, fewer than requested; call it after the draw."""
    if tasks and tasks[0].assignment is not None:
        return "Nothing else is drawn while assigned paragraphs wait; ask again when these are annotated."
    return _why_not_drawn(connection, tasks, whole=whole)


def _why_not_drawn(connection: Connection, tasks: Sequence[draws.AssignedParagraph], *, whole: bool) -> str:
    supply = draws.supply(connection)
    if not supply.stored:
        return "No paragraph is stored."
    if whole and supply.articles:
        return f"A draw takes at most {ARTICLES_AT_ONCE} whole articles: ask again when these are coded."
    if whole:
        return "No article is left that has not been drawn as a whole."
    if supply.undrawn and _others_differ(connection, tasks):
        return (
            "Half are drawn at random and half because the model is unsure of them, and what is drawn both ways counts "
            "once; the next draw takes more."
        )
    if supply.undrawn:
        return (
            f"The paragraphs that are left ({supply.undrawn:,}) repeat others almost word for word; a later draw may "
            "take them."
        )
    return (
        f"No other paragraph is left: of {supply.stored:,} stored, {supply.coded:,} are coded and {supply.waiting:,} "
        "wait for a coder."
    )


def _others_differ(connection: Connection, tasks: Sequence[draws.AssignedParagraph]) -> bool:
    """Whether any paragraph that is left is no near-duplicate of these."""
    others, _ = draws.undrawn(connection, MAX_POOL)
    texts = [*(task.text for task in tasks), *(candidate.text for candidate in others)]
    return any(position >= len(tasks) for position in representatives(texts))


def _draw_articles(connection: Connection, missing: int) -> list[draws.NewDraw]:
    """Draws up to ten articles as a whole, not more than `missing`, with equal probability."""
    articles, total = draws.undrawn_articles(connection, min(missing, ARTICLES_AT_ONCE))
    return [
        draws.NewDraw(paragraph, "random", len(articles) / total, overlap=False, pool=total, whole=True)
        for paragraphs in articles
        for paragraph in paragraphs
    ]


def _draw(
    connection: Connection, count: int, model: FrameModel | None, generator: np.random.Generator
) -> list[draws.NewDraw]:
    """Draws up to `count` paragraphs, half of them at random, half where the model is uncertain; no near-duplicates.

    The sample comes in a random order, so each of several near-duplicates is as likely to be the first of them, which
    alone can be drawn. Its probability is divided by their number: in shares, its annotation stands for all of them.
    """
    sample, total = draws.undrawn(connection, MAX_POOL)
    if not sample or count < 1:
        return []
    groups = grouped([candidate.text for candidate in sample])
    distinct = [sample[group[0]] for group in groups]
    sampled_share = len(sample) / total
    return [
        draws.NewDraw(
            distinct[drawn.position],
            drawn.selection,
            drawn.inclusion_probability * sampled_share / len(groups[drawn.position]),
            overlap=False,
            pool=total,
        )
        for drawn in draw(_scores(connection, distinct, model), count, generator)
    ]


def _scores(
    connection: Connection, candidates: list[draws.Candidate], model: FrameModel | None
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Scores (n, k) of n candidates for k frames: stored scores, else, for the first of them, new ones by the model.

    They only say where a model is uncertain, so those of an earlier model will do: a coder does not wait until an
    encoder has scored thousands of paragraphs. Without a model, every candidate has the score 0.5 for a single frame:
    none counts as more uncertain.
    """
    if model is None:
        return np.full((len(candidates), 1), 0.5)
    frames = model.frames
    stored = draws.scores_of(connection, candidates, frames, model.card.version)
    scores = np.full((len(candidates), len(frames)), np.nan)
    for row, candidate in enumerate(candidates):
        by_frame = stored.get((candidate.article_number, candidate.paragraph), {})
        if len(by_frame) == len(frames):
            scores[row] = [by_frame[frame] for frame in frames]
    unscored = np.flatnonzero(np.isnan(scores[:, 0]))
    scores[unscored[_MOST_NEW_SCORES:]] = 0.5
    unscored = unscored[:_MOST_NEW_SCORES]
    if len(unscored):
        scores[unscored] = model.score([candidates[row].text for row in unscored])
    return scores
