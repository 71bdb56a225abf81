"""From a request to an article that can be scored: cut, within the limits, in a language that the model knows."""

from collections.abc import Sequence
from dataclasses import dataclass

from labels.errors import ArticleError, LanguageError
from labels.language import detect_language
from labels.paragraphs import Paragraph, SplitArticle, split_html, split_paragraphs, split_text
from service.http.problem_details import ArticleTooLargeError, UnknownFrameError
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from training.registry.card import ModelCard
from training.scoring.classification import Classification, classify, cuts_at
from training.scoring.frame_model import FrameModel

UNDETERMINED = "und"
_SURE_ENOUGH = 0.5
"""No English sentence of the shipped corpus with 25 characters or more is taken for another language that surely."""
_ENOUGH_CHARACTERS = 25
_SAMPLED, _SAMPLE_CHARACTERS = 3, 80
_FAMILIAR = 0.7
"""A text of whose words a model of one language knows so many is in that language: of related ones it knows a third,
of articles in its own on other subjects mostly more. Asking the detector would take as long as scoring."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An article that one model can score: cut, within the limits, in a language that the model knows."""

    article: SplitArticle
    language: str


@dataclass(frozen=True, slots=True)
class Reading(Opened):
    """An article as one model reads it."""

    classification: Classification


def open_article(request: ClassifyRequest, model: FrameModel, settings: Settings) -> Opened:
    """Cuts and checks an article; raises `ArticleError` or `UnknownFrameError` naming the field."""
    _require_frames(request, model.card)
    article = split_article(request, settings)
    return Opened(article, language_of(article, request, model))


def read(opened: Opened, request: ClassifyRequest, model: FrameModel) -> Reading:
    """Classifies an opened article."""
    found = classify_paragraphs(opened.article.paragraphs, request, model)
    return Reading(opened.article, opened.language, found)


def classify_paragraphs(paragraphs: Sequence[Paragraph], request: ClassifyRequest, model: FrameModel) -> Classification:
    """Classifies paragraphs at the cuts that the request names."""
    texts = [paragraph.text for paragraph in paragraphs]
    cuts = cuts_at(model, request.operating_point, request.thresholds)
    return classify(model, texts, cuts, explain=request.explain)


def read_article(request: ClassifyRequest, model: FrameModel, settings: Settings) -> Reading:
    """Opens and classifies an article; raises what `open_article` raises."""
    return read(open_article(request, model, settings), request, model)


def split_article(request: ClassifyRequest, settings: Settings) -> SplitArticle:
    """Cuts the one input that the request has; raises `ArticleError` naming the field at fault."""
    given = [name for name in ("text", "html", "paragraphs") if getattr(request, name) is not None]
    if len(given) != 1:
        named = " and ".join(given) if given else "none of them"
        raise ArticleError(
            f"Send exactly one of text, html and paragraphs; this request has {named}.", given[-1] if given else "text"
        )
    _require_size(request, given[0], settings.max_text_mib)
    if request.text is not None:
        article = split_text(request.text)
    elif request.html is not None:
        article = split_html(request.html)
    else:
        article = split_paragraphs(request.paragraphs or [])
    if len(article.paragraphs) + len(article.skipped) > settings.max_paragraphs:
        raise ArticleTooLargeError(
            f"The article has more than {settings.max_paragraphs:,} paragraphs; send it in parts.", given[0]
        )
    return article


def _require_size(request: ClassifyRequest, field: str, limit_mib: int) -> None:
    content = getattr(request, field)
    size = sum(len(part.encode()) for part in ([content] if isinstance(content, str) else content))
    if size > limit_mib * 2**20:
        raise ArticleTooLargeError(f"The article is longer than {limit_mib} MiB of UTF-8 text.", field)


def language_of(article: SplitArticle, request: ClassifyRequest, model: FrameModel) -> str:
    """ISO 639 code of the article; raises `LanguageError` where the model was not trained on it.

    A text too short to tell is `und` and gets the benefit of the doubt.
    """
    if request.force_language is not None:
        return request.force_language
    text, card = _sample(article), model.card
    if len(card.languages) == 1 and model.known_share(text) >= _FAMILIAR:
        return card.languages[0]
    language = detect_language(text)
    if language.code in card.languages:
        return language.code
    letters = sum(character.isalpha() for character in text)
    if language.confidence < _SURE_ENOUGH or letters < _ENOUGH_CHARACTERS:
        return UNDETERMINED
    known = ", ".join(card.languages)
    field = next(name for name in ("text", "html", "paragraphs") if getattr(request, name) is not None)
    raise LanguageError(
        f"The article seems to be written in '{language.code}', and the model was trained on {known} only; "
        "set force_language to score it all the same.",
        field,
    )


def _sample(article: SplitArticle) -> str:
    """The beginnings of up to three paragraphs all over the article: to read all would take longer than to score it.

    A lead in one language does not hide an article in another.
    """
    step = -(-len(article.paragraphs) // _SAMPLED)
    return "\n".join(paragraph.text[:_SAMPLE_CHARACTERS] for paragraph in article.paragraphs[::step])


def _require_frames(request: ClassifyRequest, card: ModelCard) -> None:
    """Raises `UnknownFrameError` for a threshold on a frame that the model does not have."""
    for frame in request.thresholds:
        if frame not in card.frames:
            raise UnknownFrameError(
                f"The model has no frame '{frame}'; its frames are {', '.join(card.frame_keys)}.", f"thresholds/{frame}"
            )
