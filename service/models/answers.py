"""Models, promotions and training runs as answers of the API."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache

from labels.annotations import DEFAULT_CORPUS
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
from service.store.training_runs import TrainingRun
from training.errors import ModelFileError, NoChampionError
from training.evaluation import Evaluation, Figure
from training.model_card import ModelCard
from training.registry.promotions import Promotion
from training.registry.versions import Registry

# Sources that are named where there are many.
_NAMED_SOURCES = 2


def training_run_answer(run: TrainingRun) -> TrainingRunAnswer:
    return TrainingRunAnswer(**{name: getattr(run, name) for name in TrainingRunAnswer.model_fields})


def promotion_answer(promotion: Promotion) -> PromotionAnswer:
    return PromotionAnswer.model_validate(promotion, from_attributes=True)


def model_cards(registry: Registry) -> tuple[list[ModelCard], list[DamagedModel]]:
    """The cards of all versions, newest first, and the versions whose cards cannot be read."""
    cards, damaged = [], []
    for version in reversed(registry.versions()):
        try:
            cards.append(registry.card(version))
        except ModelFileError as error:
            damaged.append(DamagedModel(version=version, fault=str(error)))
    return cards, damaged


def model_list(registry: Registry, cards: Sequence[ModelCard], damaged: list[DamagedModel]) -> ModelList:
    """The list of models, made from the result of `model_cards`, with the champion marked."""
    champion = champion_version(registry)
    models = [_model_answer(card, champion=card.version == champion) for card in cards]
    return ModelList(champion=champion, models=models, damaged=damaged)


def champion_version(registry: Registry) -> str | None:
    """The version of the champion; None before the first promotion."""
    try:
        return registry.champion().version
    except NoChampionError:
        return None


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
            "warnings": card.warnings,
            "left_out": _model_figures(card, card.left_out),
            "held_out": _model_figures(card, card.held_out) if card.held_out else None,
        }
    )


def texts_of(card: ModelCard) -> str:
    """Where the texts come from that a model was trained and judged on."""
    sources = card.data.sources
    if set(sources) <= _written_sources():
        return "the corpus written for this project"
    if len(sources) <= _NAMED_SOURCES:
        return f"texts from {', '.join(sources)}"
    return f"texts from {len(sources)} sources, such as {' and '.join(sources[:_NAMED_SOURCES])}"


@cache
def _written_sources() -> frozenset[str]:
    return frozenset(path.stem for path in DEFAULT_CORPUS.glob("*.jsonl"))


def _model_figures(card: ModelCard, evaluation: Evaluation) -> ModelFigures:
    return ModelFigures(
        how=evaluation.how,
        texts=texts_of(card),
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
