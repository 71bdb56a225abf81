"""Reading and writing `card.json`, the file of a model card."""

import json
from dataclasses import asdict
from typing import Any

from labels.files.json_records import is_unicode
from training.calibration import ReliabilityBin
from training.errors import ModelFileError
from training.evaluation import Averages, Evaluation, Figure, FrameFigures, StanceFigures
from training.model_card import DataFacts, EncoderFacts, FoldFacts, ModelCard, SubjectCut, SubjectFacts
from training.promotion import FrameComparison, Verdict
from training.scoring.article_score import ArticleFacts
from training.scoring.operating_points import OPERATING_POINTS, Cut

CARD_FORMAT = 1


def card_to_json(card: ModelCard) -> str:
    """Returns the text of `card.json`."""
    return json.dumps({"format": CARD_FORMAT, **asdict(card)}, indent=1, ensure_ascii=False) + "\n"


def card_from_json(text: str | bytes) -> ModelCard:
    """Reads `card.json`; raises `ModelFileError` where it is not a card of this format."""
    try:
        content = json.loads(text)
        if not is_unicode(content):
            raise ValueError("half of a character, which could not be shown")
        if content.pop("format") != CARD_FORMAT:
            raise ModelFileError("The model card is in a format that this version does not read.")
        card = _card(content)
        for point in OPERATING_POINTS:
            if set(card.cuts[point]) != set(card.frames) or (card.article and point not in card.article.cuts):
                raise ValueError(point)
        return card
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError("The model card is damaged or foreign.") from error


def _card(content: dict[str, Any]) -> ModelCard:
    held_out, verdict, stances = (content.pop(name) for name in ("held_out", "verdict", "stances_left_out"))
    encoder, subject, folds, article = (content.pop(name, None) for name in ("encoder", "subject", "folds", "article"))
    return ModelCard(
        **{
            **content,
            "languages": tuple(content["languages"]),
            "stances": tuple(content["stances"]),
            "stored_articles": tuple(content.get("stored_articles", ())),
            "data": _data(content["data"]),
            "calibration": {frame: (slope, offset) for frame, (slope, offset) in content["calibration"].items()},
            "cuts": {
                point: {frame: Cut(**cut) for frame, cut in cuts.items()} for point, cuts in content["cuts"].items()
            },
            "left_out": _evaluation(content["left_out"]),
            "baselines": tuple(map(_evaluation, content["baselines"])),
        },
        held_out=_evaluation(held_out) if held_out else None,
        stances_left_out=_stance_figures(stances) if stances else None,
        verdict=_verdict(verdict) if verdict else None,
        encoder=EncoderFacts(**encoder) if encoder else None,
        subject=_subject(subject) if subject else None,
        folds=FoldFacts(tuple(folds["thresholds"])) if folds else None,
        article=article_facts(article) if article else None,
    )


def article_facts(content: dict[str, Any]) -> ArticleFacts:
    """Returns the facts about articles, given what JSON has of them."""
    return ArticleFacts(**{**content, "cuts": {point: Cut(**cut) for point, cut in content["cuts"].items()}})


def _data(content: dict[str, Any]) -> DataFacts:
    sources = {name: tuple(content.get(name, ())) for name in ("sources", "own_sources")}
    return DataFacts(**{**content, **sources})


def _subject(content: dict[str, Any]) -> SubjectFacts:
    return SubjectFacts(content["name"], SubjectCut(**content["several"]), SubjectCut(**content["alone"]))


def _stance_figures(content: dict[str, Any]) -> StanceFigures:
    return StanceFigures(
        overall=_evaluation(content["overall"]),
        majority=_evaluation(content["majority"]),
        frames={frame: _evaluation(figures) for frame, figures in content["frames"].items()},
    )


def _verdict(content: dict[str, Any]) -> Verdict:
    frames = tuple(FrameComparison(**{**row, "gain": Figure(**row["gain"])}) for row in content["frames"])
    return Verdict(**{**content, "gain": Figure(**content["gain"]), "frames": frames})


def _evaluation(content: dict[str, Any]) -> Evaluation:
    return Evaluation(
        **{
            **content,
            "frames": tuple(map(_frame_figures, content["frames"])),
            "macro": _averages(content["macro"]),
            "micro": _averages(content["micro"]),
            "macro_average_precision": Figure(**content["macro_average_precision"]),
        }
    )


def _averages(content: dict[str, Any]) -> Averages:
    return Averages(**{name: Figure(**figure) for name, figure in content.items()})


def _frame_figures(content: dict[str, Any]) -> FrameFigures:
    figures = {name: Figure(**content[name]) for name in ("precision", "recall", "f1", "average_precision")}
    bins = tuple(ReliabilityBin(**row) for row in content["reliability"])
    return FrameFigures(**{**content, **figures, "reliability": bins})
