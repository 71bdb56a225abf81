"""The card of a base model."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import Codebook
from training.finetuning.epochs import frames_and_stances
from training.making.assembly import CalibratedHeads
from training.making.sources import Split
from training.model_card import DataFacts, EncoderFacts, ModelCard


def describe(
    split: Split,
    codebook: Codebook,
    calibrated: CalibratedHeads,
    encoder: EncoderFacts | None,
    hyperparameters: Mapping[str, Any],
    seed: int,
    note: str,
) -> ModelCard:
    """Returns the card of a base model, with its figures on the articles left out; None for a model of words."""
    carrying = frames_and_stances(split.learned, codebook.keys)[0].sum(axis=0)
    digest = hashlib.sha256()
    for paragraph in split.learned:
        digest.update(json.dumps([paragraph.text, sorted(paragraph.frames.items())]).encode())
    return ModelCard(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        codebook_name=codebook.name,
        codebook_version=codebook.version,
        frames={frame.key: frame.title for frame in codebook.frames},
        languages=("en",),
        data=DataFacts(
            digest=digest.hexdigest(),
            paragraphs=len(split.learned),
            articles=len({paragraph.article for paragraph in split.learned}),
            sources=tuple(sorted({paragraph.outlet for paragraph in split.learned if paragraph.outlet})),
            held_out_articles=len({paragraph.article for paragraph in split.judged}),
            unsettled=0,
            carrying={key: int(count) for key, count in zip(codebook.keys, carrying, strict=True)},
        ),
        hyperparameters=hyperparameters,
        seed=seed,
        calibration=calibrated.calibration,
        cuts=calibrated.cuts,
        left_out=calibrated.left_out,
        stances=SPECIFIED_STANCES,
        stances_left_out=calibrated.stances_left_out,
        held_out=None,
        baselines=(),
        agreement=dict.fromkeys(codebook.keys),
        encoder=encoder,
        note=note,
    )
