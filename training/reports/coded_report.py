"""`framing evaluate --coded`: a model judged on paragraphs that people coded and that it never saw.

Coded paragraphs are often no random sample: some were chosen because a model thought them likely to carry a frame.
Where the file says how they were drawn, the first figures are on those drawn at random, and the second on all of them,
post-stratified to a population.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.codebook import Codebook
from training.evaluation import Figure, StanceFigures
from training.reports.article_figures import ArticleFigures, article_figures
from training.reports.coded_figures import (
    FramesFigures,
    GroupFigures,
    decided_present,
    frames_figures,
    groups_figures,
    shares,
    stances_figures,
)
from training.reports.coded_files import CodedArticle, DescribedParagraph, Text
from training.reports.poststratification import poststratified_weights
from training.reports.renaming import RenamedFigures, renamed_figures
from training.reports.trained_on import Screen, cross_validated, screened
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OperatingPoint, above_threshold
from training.validation import (
    Judged,
    ModelDisagreement,
    disagreements,
    judge,
    off_topic_articles,
    score_in_parts,
    sources_known,
)

RANDOM = "random"

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class TextFigures:
    """Figures of frames and stances on coded paragraphs.

    `stances` is None where the coders specified no stance or the model knows none.
    """

    how: str
    paragraphs: int
    articles: int
    frames: FramesFigures
    stances: StanceFigures | None


@dataclass(frozen=True, slots=True)
class OtherFigures:
    """Share of paragraphs without any frame that the model gives a frame: by frame and, at last, any frame.

    An article that the model says is about something else carries none; `called_other` is the share of such articles,
    None for a model that cannot tell.
    """

    paragraphs: int
    shares: tuple[Figure, ...]
    called_other: Figure | None = None


@dataclass(frozen=True, slots=True)
class CodedReport:
    """Everything that `framing evaluate --coded` shows.

    `figures` are on the paragraphs drawn at random, or on all where the file does not say how they were drawn;
    `population` on all, post-stratified to `population_paragraphs` of them; None where the first are on all.
    `unsettled` counts the paragraphs left out because their coders are tied. `sources_known` are sources that the model
    was trained on, which makes the figures better than they would be elsewhere. Of the paragraphs that it learned from,
    `paragraphs_known` count in the figures, `left_out` do not, and `cross_validated` were scored by fold models that
    have not seen their articles; these have no figures of stances. `renamed` says how many decisions change on all
    coded paragraphs when they name others; empty where none names anybody that is known. `disagreements` come in
    descending order of how sure the model was.
    """

    version: str
    figures: TextFigures
    population: TextFigures | None
    population_paragraphs: int
    groups: tuple[GroupFigures, ...]
    unsettled: int
    sources_known: tuple[str, ...]
    paragraphs_known: int
    left_out: int
    cross_validated: int
    disagreements: tuple[ModelDisagreement, ...]
    renamed: tuple[RenamedFigures, ...] = ()
    other: OtherFigures | None = None
    # Share of the coded articles that the model says are about something else; None for a model that cannot tell.
    called_other: Figure | None = None
    articles: ArticleFigures | None = None

    @property
    def enriched(self) -> tuple[str, ...]:
        """The frames whose share in the post-stratified paragraphs is above the interval of the random ones."""
        if self.population is None:
            return ()
        frames = [figures.frame for figures in self.figures.frames.points["balanced"].frames]
        pairs = zip(frames, self.figures.frames.carried, self.population.frames.carried, strict=False)
        return tuple(frame for frame, drawn, weighted in pairs if (weighted.value or 0) > (drawn.high or 0))


def evaluate_coded(
    model: FrameModel,
    codebook: Codebook,
    described: Sequence[DescribedParagraph],
    *,
    population: Sequence[Text] = (),
    other: Sequence[Text] = (),
    articles: Sequence[CodedArticle] = (),
    strata: FrameModel | None = None,
    screen: Screen = Screen(),  # noqa: B008 - immutable
    point: OperatingPoint | None = None,
    progress: Progress = lambda _step, _share: None,
) -> CodedReport:
    """Judges a model on coded paragraphs; lists the disagreements at an operating point, none where it is None.

    `population` are more paragraphs of the kind, without annotations; `other` are paragraphs that carry no frame. The
    scores of `strata` post-stratify; None means those of the model. It should be no worse than the model that chose
    the paragraphs: what that model saw beyond the scores of the strata makes the weights too high for what it chose.
    `screen` says what the model learned from. Raises the errors of `training.validation.judge` and of `screened`.
    """
    unseen = screened(screen, described, articles, other)
    described, articles, other = unseen.described, unseen.articles, unseen.other
    judged = judge(model, codebook, [row.paragraph for row in described], lambda share: progress("coded", share))
    settled_paragraphs = len(judged.gold)
    judged = cross_validated(model, judged, screen)
    settled = [described[row] for row in judged.rows.tolist()]
    random = np.array([row.drawn == RANDOM for row in settled])
    sampled = bool(random.any()) and not random.all()
    weights = _weights(strata or model, judged, population, progress) if sampled or population else None
    first = judged.take(random) if sampled else judged
    return CodedReport(
        version=model.card.version,
        figures=_figures(model, "coded paragraphs drawn at random" if random.any() else "coded paragraphs", first),
        population=None
        if weights is None
        else _figures(model, "all coded paragraphs, post-stratified", judged, weights),
        population_paragraphs=len(judged.gold) + len(population),
        groups=groups_figures(judged, settled, model.card.cuts, weights),
        unsettled=len(described) - settled_paragraphs,
        sources_known=sources_known(model, judged),
        paragraphs_known=unseen.judged,
        left_out=unseen.left_out + settled_paragraphs - len(judged.gold),
        cross_validated=0 if judged.cross_validated is None else int(judged.cross_validated.sum()),
        disagreements=disagreements(model, judged, point) if point else (),
        renamed=renamed_figures(model, judged, lambda share: progress("other names", share)),
        other=_other(model, other, progress) if other else None,
        called_other=_coded_called_other(model, judged),
        articles=_articles(model, codebook, articles, progress) if articles else None,
    )


def _weights(strata: FrameModel, judged: Judged, population: Sequence[Text], progress: Progress) -> NDArray[np.float64]:
    coded = [settled.paragraph.text for settled in judged.gold]
    texts = [*coded, *(entry.text for entry in population)]
    scores = score_in_parts(strata, texts, lambda share: progress("strata", share)).frames
    return poststratified_weights(scores[: len(coded)], scores[len(coded) :])


def _figures(model: FrameModel, how: str, judged: Judged, weights: NDArray[np.float64] | None = None) -> TextFigures:
    seen = judged.cross_validated
    if seen is not None and seen.any():
        how += ", those of the training scored by fold models"
    return TextFigures(
        how=how,
        paragraphs=len(judged.gold),
        articles=len(set(judged.articles)),
        frames=frames_figures(how, judged, model.card.cuts, weights),
        stances=_stances(f"stances of frames, {how}", judged, model, weights),
    )


def _stances(how: str, judged: Judged, model: FrameModel, weights: NDArray[np.float64] | None) -> StanceFigures | None:
    """Returns the figures of the stances in paragraphs that the model itself scored: fold models have no stances."""
    if judged.cross_validated is not None:
        unseen = ~judged.cross_validated
        judged, weights = judged.take(unseen), None if weights is None else weights[unseen]
    return stances_figures(how, judged, model.card.stances, weights)


def _other(model: FrameModel, other: Sequence[Text], progress: Progress) -> OtherFigures:
    texts, articles = [entry.text for entry in other], np.array([entry.article for entry in other], dtype=object)
    scored = score_in_parts(model, texts, lambda share: progress("other", share))
    present = decided_present(scored.frames, model.frames, model.card.cuts["balanced"])
    off_topic = off_topic_articles(model, texts, articles.tolist(), scored.subject)
    if off_topic is not None:
        present &= ~np.array([[off_topic[article]] for article in articles])
    marks = np.column_stack([present, present.any(axis=1)])
    # The last of the shares is among all columns, which says nothing here.
    return OtherFigures(len(other), shares(marks, articles)[:-1], _share_called(off_topic))


def _coded_called_other(model: FrameModel, judged: Judged) -> Figure | None:
    texts = [settled.paragraph.text for settled in judged.gold]
    return _share_called(off_topic_articles(model, texts, judged.articles.tolist(), judged.subject))


def _share_called(off_topic: Mapping[str, bool] | None) -> Figure | None:
    """Returns the share of articles that are about something else, with its interval."""
    if off_topic is None:
        return None
    return shares(np.array([[other] for other in off_topic.values()]), np.array(list(off_topic), dtype=object))[0]


def _articles(
    model: FrameModel, codebook: Codebook, articles: Sequence[CodedArticle], progress: Progress
) -> ArticleFigures:
    paragraphs = [paragraph for article in articles for paragraph in article.paragraphs]
    judged = judge(model, codebook, paragraphs, lambda share: progress("articles", share))
    decisions = above_threshold(judged.scores, [model.card.cuts["balanced"][key] for key in judged.frames])
    carried = {article.article: article.frames for article in articles}
    return article_figures(
        judged.frames,
        judged.scores,
        decisions,
        judged.targets,
        judged.articles,
        carried,
        model.card.article,
        judged.coded,
    )
