"""/models: versions and their figures, training runs, what would change, promote and go back."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from labels.annotations import DEFAULT_CORPUS
from labels.codebook import Codebook
from labels.wording import counted
from service.http.dependencies import Reader, UseDatabase, UseRegistry, UseSettings, UseWorker
from service.models.answers import model_cards, model_list, promotion_answer, training_run_answer
from service.pages.render import PageRoute, Site, UseSite
from service.prevalence.own_figures import weeks
from service.schemas.models import ModelAnswer
from service.schemas.training import TrainingRunAnswer
from service.settings import Settings
from service.store import annotations, training_runs
from training.hyperparameters import Kind
from training.kinds.wanted import kind_to_train
from training.model_card import ModelCard
from training.promotion import FRAME_MARGIN, Verdict
from training.registry.base import base_for
from training.registry.provenance import texts_of

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_RUNS = 10
# Sections that stand open on the page: the champion and the newest others.
_OPEN = 3
# Pulls to choose from, with what they do: those that cross-validation tries.
_PULLS = (
    (0.1, "0.1: follows your annotations closely"),
    (0.3, "0.3"),
    (1.0, "1"),
    (3.0, "3: halfway"),
    (10.0, "10"),
    (30.0, "30: hardly moves from the shipped model"),
)
# The steps of a run in their order (`service.jobs.run_record.STEPS`), as the page names them.
STEP_NAMES = {
    "snapshot": "Collect the annotations",
    "check": "Check them",
    "train": "Train and measure",
    "label_diff": "Compare decisions on stored articles",
    "promote": "Decide",
}


@router.get("/models")
def models(
    site: UseSite,
    database: UseDatabase,
    registry: UseRegistry,
    settings: UseSettings,
    worker: UseWorker,
    caller: Reader,
) -> HTMLResponse:
    """Model versions, the runs that trained them, and the history of promotions."""
    site.charts.make_soon()
    with database.read() as connection:
        runs, _ = training_runs.listing(connection, None, _RUNS)
        newest = training_runs.newest(connection)
        new_annotations = annotations.count_since(connection, newest.created_at if newest else None)
        champion = site.champion.current
        by_week = weeks(connection, champion.card, site.codebook) if champion else None
    readable, damaged = model_cards(registry, caller)
    listed = model_list(registry, readable, damaged)
    versions = sorted(listed.models, key=lambda model: not model.champion)  # then as before, newest first
    cards = {card.version: card for card in readable}
    run_answers = [training_run_answer(run, caller) for run in runs]
    return site.page(
        "models.html",
        "/models",
        models=versions,
        opened=_opened(versions),
        damaged=listed.damaged,
        cards=cards,
        current=listed.champion,
        verdicts={version: in_words(card.verdict) for version, card in cards.items() if card.verdict},
        diffs=_current_diffs(run_answers, listed.champion),
        runs=run_answers,
        step_names=STEP_NAMES,
        new_annotations=new_annotations,
        history=[promotion_answer(promotion) for promotion in reversed(registry.history())],
        version_rows=version_rows(cards),
        reliability_rows=_reliability_rows(cards.get(listed.champion or ""), site.titles),
        training=_training(site, settings) if caller.may("admin") else {},
        has_worker=worker.is_running(),
        rescores=settings.rescore,
        by_week=by_week,
    )


def _opened(versions: Sequence[ModelAnswer]) -> list[str]:
    """The versions whose sections stand open: the champion, and the newest ones."""
    return [model.version for model in versions[:_OPEN]]


def in_words(verdict: Verdict) -> str:
    """What a verdict says, in a few words; its reason has the figures."""
    if verdict.champion is None:
        return "It is the first model"
    if verdict.gain.low is None or verdict.gain.high is None:
        return f"Could not be compared with {verdict.champion}"
    return _of_gain(verdict, verdict.champion, verdict.gain.low, verdict.gain.high)


def _of_gain(verdict: Verdict, champion: str, low: float, high: float) -> str:
    if high < 0:
        return f"Worse than {champion}"
    if low <= 0:
        return f"No difference from {champion} that these annotations can show"
    if verdict.promote:
        return f"Better than {champion}"
    if any((frame.gain.value or 0.0) < -FRAME_MARGIN for frame in verdict.frames):
        return f"Better than {champion} on the whole, but worse on a frame"
    return f"Too few annotations to say that it is better than {champion}"


def _current_diffs(runs: Sequence[TrainingRunAnswer], champion: str | None) -> dict[str, Mapping[str, Any]]:
    """What would change, by version, as its run measured it; only where it compared with the present champion."""
    return {
        run.version: run.label_diff
        for run in runs
        if run.version and run.label_diff and run.label_diff.get("champion") == champion
    }


def _training(site: Site, settings: Settings) -> dict[str, Any]:
    """What the form for a training run offers and says."""
    champion = site.champion.current
    kind = kind_to_train(settings.kind, champion.card if champion else None, site.codebook)
    adapts = _adapts(kind, site.codebook, settings)
    return {
        "adapts": adapts,
        "kind": kind or "of the kind that turns out better",
        "leaves_corpus_out": adapts and settings.corpus.resolve() == DEFAULT_CORPUS.resolve(),
        "pulls": _PULLS,
        "pull": settings.pull,
        "promotes": settings.promotion == "auto",
    }


def _adapts(kind: Kind | None, codebook: Codebook, settings: Settings) -> bool:
    """Whether a run adapts the shipped model of a kind; else it learns from nothing."""
    return settings.start == "base" and kind is not None and base_for(codebook, kind) is not None


def version_rows(cards: Mapping[str, ModelCard]) -> list[dict[str, Any]]:
    """Macro F1 of each version and what it was measured on, as rows of its chart.

    `short` is the colour: as many paragraphs left out in the same way are the same texts.
    """
    return [
        {
            "version": version,
            "short": f"{evaluation.in_short}, {counted(evaluation.paragraphs, 'paragraph')}",
            "how": f"{evaluation.how}; {texts_of(card, evaluation.how)}",
            "value": figure.value,
            "low": figure.low,
            "high": figure.high,
        }
        for version, card in sorted(cards.items(), key=lambda item: int(item[0][1:]))
        for evaluation in (card.held_out, card.left_out)
        if evaluation is not None
        for figure in (evaluation.macro.f1,)
    ]


def _reliability_rows(card: ModelCard | None, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The bins of the champion's reliability diagram, as rows of its chart."""
    if card is None:
        return []
    return [
        {
            "title": titles.get(figures.frame, figures.frame),
            "mean_score": score_bin.mean_score,
            "share": score_bin.share,
            "paragraphs": score_bin.paragraphs,
        }
        for figures in card.left_out.frames
        for score_bin in figures.reliability
        if score_bin.paragraphs
    ]
