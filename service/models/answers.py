"""Models, promotions and training runs as answers of the API."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from service.schemas.models import (
    DamagedModel,
    FigureAnswer,
    FrameFiguresAnswer,
    ModelAnswer,
    ModelFigures,
    ModelList,
    PromotionAnswer,
)
from service.schemas.training import TrainingRunAnswer
from service.store.callers import Caller
from service.store.training_runs import NOT_PROMOTED, TrainingRun, by_coders
from training.errors import ModelFileError
from training.evaluation import Evaluation, Figure
from training.model_card import ModelCard
from training.registry.promotions import Promotion
from training.registry.provenance import figures_hold_for, learned_from, texts_of
from training.registry.versions import Registry


def training_run_answer(run: TrainingRun, caller: Caller) -> TrainingRunAnswer:
    """A run as an answer to a caller; the names of coders are for admins."""
    if not caller.may("admin"):
        run = _without_names(run)
    fields = [name for name in TrainingRunAnswer.model_fields if name != "outcome"]
    return TrainingRunAnswer(**{name: getattr(run, name) for name in fields}, outcome=_outcome(run))


def _without_names(run: TrainingRun) -> TrainingRun:
    """The run with numbers in place of the coders whose annotations it trains on."""
    coders = run.request.coders
    if coders is None:
        return run
    numbered = [f"coder {number}" for number, _ in enumerate(coders, start=1)]

    def unnamed(text: str) -> str:
        return text.replace(by_coders(coders), by_coders(numbered))

    error = None if run.error is None else unnamed(run.error)
    request = replace(run.request, coders=numbered)
    return replace(run, request=request, error=error, log=[unnamed(line) for line in run.log])


def card_for(card: ModelCard, caller: Caller) -> ModelCard:
    """The card as a caller may see it: the names of coders are for admins."""
    if caller.may("admin"):
        return card
    counts = {f"coder {number}": count for number, count in enumerate(card.data.coders.values(), start=1)}
    return replace(card, data=replace(card.data, coders=counts))


def _outcome(run: TrainingRun) -> str:
    """Says what became of a run, which may have succeeded without a change of the champion."""
    if run.state == "queued":
        return "It waits for its turn."
    if run.state == "running":
        return "It is being performed."
    if run.state != "succeeded":
        made = f" It had made {run.version}." if run.version else ""
        why = f" {run.error}" if run.error else ""
        return f"It {'failed' if run.state == 'failed' else 'was cancelled'}.{why}{made}"
    if run.promoted:
        return f"{run.version} was promoted: it is the champion from then on."
    verdict = run.verdict or {}
    if not verdict.get("promote"):
        return f"{run.version} was made and not promoted. {verdict.get('reason', '')}".strip()
    why = next((line.partition(NOT_PROMOTED)[2] for line in reversed(run.log) if NOT_PROMOTED in line), "")
    return f"{run.version} was made and not promoted: {why.rstrip('.') or 'promote it by hand'}."


def promotion_answer(promotion: Promotion) -> PromotionAnswer:
    return PromotionAnswer.model_validate(promotion, from_attributes=True)


def model_cards(registry: Registry, caller: Caller) -> tuple[list[ModelCard], list[DamagedModel]]:
    """The cards of all versions as a caller may see them, newest first, and the versions without a readable card."""
    cards, damaged = [], []
    for version in reversed(registry.versions()):
        try:
            cards.append(card_for(registry.card(version), caller))
        except ModelFileError as error:
            damaged.append(DamagedModel(version=version, fault=str(error)))
    return cards, damaged


def model_list(registry: Registry, cards: Sequence[ModelCard], damaged: list[DamagedModel]) -> ModelList:
    """The list of models, made from the result of `model_cards`, with the champion marked."""
    champion = champion_version(registry)
    models = [_model_answer(card, champion=card.version == champion) for card in cards]
    return ModelList(champion=champion, models=models, damaged=damaged)


def champion_version(registry: Registry) -> str | None:
    """The version of the champion; None before the first promotion, and where no promotion counts."""
    promotion, _ = registry.newest_promotion()
    return None if promotion is None else promotion.version


def _model_answer(card: ModelCard, *, champion: bool) -> ModelAnswer:
    return ModelAnswer.model_validate(
        {
            "version": card.version,
            "champion": champion,
            "kind": card.kind,
            "encoder": asdict(card.encoder) if card.encoder else None,
            "created_at": card.created_at,
            "codebook_version": card.codebook_version,
            "frames": list(card.frame_keys),
            "paragraphs": card.data.paragraphs,
            "note": card.note,
            "learned_from": learned_from(card),
            "figures_hold_for": figures_hold_for(card),
            "warnings": card.warnings,
            "left_out": _model_figures(card, card.left_out),
            "held_out": _model_figures(card, card.held_out) if card.held_out else None,
        }
    )


def _model_figures(card: ModelCard, evaluation: Evaluation) -> ModelFigures:
    return ModelFigures(
        how=evaluation.how,
        texts=texts_of(card, evaluation.how),
        paragraphs=evaluation.paragraphs,
        articles=evaluation.articles,
        macro_f1=_figure(evaluation.macro.f1),
        micro_f1=_figure(evaluation.micro.f1),
        ece=evaluation.ece,
        frames=[
            FrameFiguresAnswer(
                frame=figures.frame,
                support=figures.support,
                precision=_figure(figures.precision),
                recall=_figure(figures.recall),
                f1=_figure(figures.f1),
                average_precision=_figure(figures.average_precision),
                ece=figures.ece,
            )
            for figures in evaluation.frames
        ],
    )


def _figure(figure: Figure) -> FigureAnswer:
    return FigureAnswer(value=figure.value, low=figure.low, high=figure.high)
