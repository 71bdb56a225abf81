"""The examples of docs/prevalence.md that estimate a regression from a table of scores, and such a table."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from service.store.scores import COLUMNS
from service.tabular import whole
from tests.support.paths import ROOT
from training.estimates.regression import Coefficient, Sample, regress

PAGE = ROOT / "docs" / "prevalence.md"
OUTLETS = ("Courier", "Harbour Post", "Valley Times")


def example(language: str) -> str:
    """The example of the page in Python (`python`) or R (`r`), which reads `scores.csv` and prints a table as CSV."""
    [code] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(code)


def write_scores(path: Path) -> list[Coefficient]:
    """Writes a made-up table as `framing export-scores` does; returns what `framing regression` makes of it."""
    chance = np.random.default_rng(1)
    article = np.repeat(np.arange(200), chance.integers(2, 9, 200))
    outlet = chance.integers(0, len(OUTLETS), 200)[article]
    carries = (chance.random(len(article)) < 0.2 + 0.1 * outlet).astype(float)
    score = np.clip(0.2 + 0.5 * carries - 0.1 * outlet + chance.normal(0, 0.15, len(article)), 0, 1)
    probability = np.where(score > 0.4, 0.5, 0.2)
    drawn = chance.random(len(article)) < probability
    sample = Sample(
        terms=("intercept", *OUTLETS[1:]),
        design=np.column_stack([np.ones(len(article)), *(outlet == place for place in range(1, len(OUTLETS)))]),
        score=score,
        decision=(score > 0.5).astype(float),
        label=np.where(drawn, carries, np.nan),
        probability=np.where(drawn, probability, np.nan),
        article=article,
    )
    path.write_bytes(whole(COLUMNS, [_rows(sample, outlet)], "csv"))
    return regress(sample, "linear")


def _rows(sample: Sample, outlet: Any) -> list[tuple[Any, ...]]:
    rows = []
    for place, is_annotated in enumerate(sample.annotated):
        facts = {
            "article_id": f"a{sample.article[place]}",
            "outlet": OUTLETS[outlet[place]],
            "frame": "foreign_hand",
            "left_out_score": float(sample.score[place]),
            "label": float(sample.label[place]) if is_annotated else None,
            "inclusion_probability": float(sample.probability[place]) if is_annotated else None,
            "corrects": bool(is_annotated),
        }
        rows.append(tuple(facts.get(column.name) for column in COLUMNS))
        # The same paragraph and another frame, which the examples leave out.
        rows.append(tuple({**facts, "frame": "other", "label": None}.get(column.name) for column in COLUMNS))
    return rows
