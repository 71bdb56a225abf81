"""Reading and classifying an article: the first two steps of every request that scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import Counter

from labels.errors import ArticleError, FileError, LanguageError
from labels.files.extraction_process import EXTRACTION, Patience
from labels.language import detect_language
from labels.paragraphs import Paragraph, SplitArticle, split_html, split_paragraphs, split_text
from service.errors import ArticleTooLargeError, require_frames
from service.metrics import Metrics
from service.schemas.articles import ClassifyRequest
from service.settings import Settings
from training.encoder.stopping import require_wanted
from training.scoring.classification import Classification, classify, cuts_at
from training.scoring.frame_model import FrameModel

UNDETERMINED = "und"
_INPUTS = ("text", "html", "paragraphs")

# At this confidence, no English sentence of the shipped corpus with 25 or more letters is detected as another language.
_CONFIDENT = 0.5
_FEWEST_LETTERS = 25

# The language is detected from the beginnings of up to three paragraphs.
_SAMPLED, _SAMPLE_CHARACTERS = 3, 80

# If the model knows this share of the words, the text is in the model's only language (it knows about a third of the
# words of a related language). Detection would take as long as scoring.
_FAMILIAR = 0.7

# Seconds of processor time in which a page is read, and more for each MiB; pages of newspapers need a tenth of it.
_SECONDS_OF_PAGE, _MORE_SECONDS_PER_MIB = 3, 12


@dataclass(frozen=True, slots=True)
class ReadArticle:
    """An article that the model can score: split, within the limits, in a language that the model knows."""

    split: SplitArticle
    language: str


def read_article(request: ClassifyRequest, model: FrameModel, settings: Settings) -> ReadArticle:
    """Splits and checks the article of a request.

    Raises `ArticleError`, `LanguageError` or `UnknownFrameError`, each with the field at fault.
    """
    if request.thresholds:
        require_frames(request.thresholds, model.frames, "thresholds/{frame}")
    split = split_article(request, settings)
    return ReadArticle(split, language_of(split, request, model))


def classify_article(article: ReadArticle, request: ClassifyRequest, model: FrameModel) -> Classification:
    """Scores and decides each paragraph of an article, and the article as a whole."""
    return classify_paragraphs(article.split.paragraphs, request, model)


def classify_paragraphs(paragraphs: Sequence[Paragraph], request: ClassifyRequest, model: FrameModel) -> Classification:
    """Like `classify_article`, for some of the paragraphs."""
    texts = [paragraph.text for paragraph in paragraphs]
    cuts = cuts_at(model, request.operating_point, request.thresholds)
    return classify(model, texts, cuts, explain=request.explain)


def count_decisions(metrics: Metrics, article: ReadArticle, classification: Classification) -> None:
    """Counts the paragraphs of a scored article, and the decisions on them by frame."""
    paragraphs = len(article.split.paragraphs)
    metrics.paragraphs.inc(paragraphs)
    for key, frame in classification.article.items():
        absent = paragraphs - frame.paragraphs - frame.uncertain
        for decision, count in (("present", frame.paragraphs), ("uncertain", frame.uncertain), ("absent", absent)):
            if count:
                _decision_counter(metrics, key, decision).inc(count)


@lru_cache(maxsize=1024)
def _decision_counter(metrics: Metrics, frame: str, decision: str) -> Counter:
    """The counter of a frame and decision; cached, because the lookup takes longer than the increment."""
    return metrics.decisions.labels(frame, decision)


def split_article(request: ClassifyRequest, settings: Settings) -> SplitArticle:
    """Splits the input of the request; raises `ArticleError` with the field at fault."""
    inputs = [name for name in _INPUTS if getattr(request, name) is not None]
    if len(inputs) != 1:
        named = " and ".join(inputs) if inputs else "none of them"
        raise ArticleError(
            f"Send either text, html or paragraphs, and only that; this request has {named}.",
            inputs[-1] if inputs else "text",
        )
    _require_size(request, inputs[0], settings.max_text_mib)
    if request.text is not None:
        split = split_text(request.text, settings.window_sentences)
    elif request.html is not None:
        split = _split_page(request.html)
    else:
        split = split_paragraphs(request.paragraphs or [])
    # However long the menus of a page are, they are not scored.
    article_pieces = sum(piece.reason != "outside_article" for piece in split.skipped)
    if len(split.paragraphs) + article_pieces > settings.max_paragraphs:
        raise ArticleTooLargeError(
            f"The article has more than {settings.max_paragraphs:,} paragraphs; send it in parts.", inputs[0]
        )
    _require_short_paragraphs(split, inputs[0], settings.max_paragraph_characters)
    return split


def _require_short_paragraphs(split: SplitArticle, field: str, most: int) -> None:
    """An encoder would need minutes for a paragraph of the size of a book, and its mean would say nothing."""
    for paragraph in split.paragraphs:
        if len(paragraph.text) > most:
            raise ArticleTooLargeError(
                f"Paragraph {paragraph.index} has {len(paragraph.text):,} characters, more than {most:,}; split it.",
                f"{field}/{paragraph.index}" if field == "paragraphs" else field,
            )


def _split_page(html: str) -> SplitArticle:
    """Extracts and splits a page in a process of its own, because a page can be made so that this takes hours."""
    seconds = _SECONDS_OF_PAGE + round(_MORE_SECONDS_PER_MIB * len(html) / 2**20)
    try:
        return EXTRACTION.run_within(Patience(seconds, require_wanted=require_wanted), split_html, html)
    except FileError as error:
        raise ArticleError(f"The page cannot be read. {error}", "html") from error


def _require_size(request: ClassifyRequest, field: str, limit_mib: int) -> None:
    content = getattr(request, field)
    size = sum(len(part.encode()) for part in ([content] if isinstance(content, str) else content))
    if size > limit_mib * 2**20:
        raise ArticleTooLargeError(f"The article is longer than {limit_mib} MiB of UTF-8 text.", field)


def language_of(split: SplitArticle, request: ClassifyRequest, model: FrameModel) -> str:
    """ISO 639 code of the article; raises `LanguageError` if the model was not trained on that language.

    A text too short for detection gets `und` and is scored.
    """
    if request.force_language is not None:
        return request.force_language
    text, languages = _sample(split), model.card.languages
    if len(languages) == 1 and model.known_share(text) >= _FAMILIAR:
        return languages[0]
    language = detect_language(text)
    if language.code in languages:
        return language.code
    letters = sum(character.isalpha() for character in text)
    if language.confidence < _CONFIDENT or letters < _FEWEST_LETTERS:
        return UNDETERMINED
    field = next(name for name in _INPUTS if getattr(request, name) is not None)
    raise LanguageError(
        f"The article seems to be written in '{language.code}', and the model was trained on {', '.join(languages)} "
        "only; set force_language to score it anyway.",
        field,
        language.code,
    )


def _sample(split: SplitArticle) -> str:
    """The beginnings of paragraphs spread over the article, so that a lead in another language does not decide.

    Detection on the whole text would take longer than scoring it.
    """
    step = -(-len(split.paragraphs) // _SAMPLED)
    return "\n".join(paragraph.text[:_SAMPLE_CHARACTERS] for paragraph in split.paragraphs[::step])
