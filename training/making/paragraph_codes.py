"""Further annotations of news, of which only digests of the paragraphs ship: the texts belong to their outlets.

`paragraph_codes.jsonl` has a paragraph a line: the first digits of the SHA-256 of its text, how it was drawn, the
stance of each frame that it carries, and how sure the coder was (1 to 3). Language-model coders annotated paragraphs of
which a base model was least sure (`unsure`), and some drawn at random from articles that no base learns from
(`random`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.finetuning.paragraphs import LearnedParagraph, Origin
from training.registry.learned import digest_of_text
from training.reports.coded_files import json_lines

CODES = Path(__file__).with_name("paragraph_codes.jsonl")


def with_codes(
    uncoded: Sequence[LearnedParagraph], path: Path = CODES
) -> tuple[list[LearnedParagraph], list[LearnedParagraph]]:
    """Separates paragraphs without annotations into those that are annotated in `path`, and the others."""
    codes = {row["paragraph"]: row for _, row in json_lines(path)}
    annotated, others = [], []
    for paragraph in uncoded:
        row = codes.get(digest_of_text(paragraph.text))
        if row is None:
            others.append(paragraph)
        else:
            origin: Origin = "random" if row["drawn"] == "random" else "chosen"
            annotated.append(replace(paragraph, frames=row["frames"], origin=origin, sure=row["sure"]))
    return annotated, others
