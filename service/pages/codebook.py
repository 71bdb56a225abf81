"""/codebook: what each frame means, with examples and how far coders agree on it."""

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
from service.access.needs import needs
from service.http.dependencies import State
from service.pages.render import PageRoute, page

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_EXAMPLES = 3
_SHORTEST, _LONGEST = 120, 420


@router.get("/codebook", dependencies=needs["reader"])
def codebook(state: State) -> HTMLResponse:
    """The frames with their definitions, examples of the corpus and the agreement of its coders."""
    try:
        examples, agreed = _from_corpus(state.settings.corpus, state.codebook)
    except FramingError:  # a codebook of one's own may come without a corpus
        examples, agreed = {}, {}
    return page(state, "codebook.html", "/codebook", codebook=state.codebook, examples=examples, agreement=agreed)


@lru_cache(maxsize=2)
def _from_corpus(corpus: Path, codebook: Codebook) -> tuple[dict[str, list[str]], dict[str, FrameAgreement]]:
    """Short paragraphs that carry one frame alone, each of another source, and the agreement of the coders."""
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
    return dict(examples), {found.frame: found for found in agreement(paragraphs, codebook)}
