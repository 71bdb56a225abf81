"""/codebook: the definition of each frame, with examples and the agreement of the coders."""

from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from labels.agreement import FrameAgreement, agreement
from labels.annotations import read_corpus
from labels.codebook import Codebook
from labels.errors import FramingError
from labels.gold import settle
from service.http.dependencies import UseSettings, needs
from service.pages.render import PageRoute, UseSite

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_EXAMPLES = 3
_SHORTEST, _LONGEST = 120, 420


@router.get("/codebook", dependencies=needs["reader"])
def codebook(site: UseSite, settings: UseSettings) -> HTMLResponse:
    """The frames with their definitions, examples from the corpus and the agreement of its coders."""
    try:
        examples, agreement_by_frame = _from_corpus(settings.corpus, site.codebook)
    except FramingError:  # users who bring their own codebook may have no corpus for it
        examples, agreement_by_frame = {}, {}
    return site.page(
        "codebook.html", "/codebook", codebook=site.codebook, examples=examples, agreement=agreement_by_frame
    )


@lru_cache(maxsize=2)
def _from_corpus(corpus: Path, codebook: Codebook) -> tuple[dict[str, list[str]], dict[str, FrameAgreement]]:
    """Short paragraphs that carry a single frame, from different sources, and the agreement of the coders; by frame."""
    paragraphs = read_corpus(corpus, codebook)
    examples: dict[str, list[str]] = defaultdict(list)
    sources: set[tuple[str, str]] = set()
    for gold in settle(paragraphs, codebook):
        text = gold.paragraph.text
        if gold.unsettled or len(gold.frames) != 1 or not _SHORTEST <= len(text) <= _LONGEST:
            continue
        frame = next(iter(gold.frames))
        if len(examples[frame]) < _EXAMPLES and (frame, gold.paragraph.source) not in sources:
            sources.add((frame, gold.paragraph.source))
            examples[frame].append(text)
    return dict(examples), {result.frame: result for result in agreement(paragraphs, codebook)}
