"""What a model learned from, who annotated that, and for which texts its figures hold: a sentence each."""

from collections.abc import Mapping
from functools import cache

from labels.annotations import DEFAULT_CORPUS
from labels.wording import counted
from training.evaluation import OF_THE_BASE
from training.model_card import ModelCard

# Who annotated the news that the bases learned from, and the written corpus under these names.
_BASE_CODERS = "language-model coders"
_CORPUS_CODERS = ("author", "reader", "adjudicator")
# Coders and sources that a sentence names where there are many.
_NAMED = 10
_NAMED_SOURCES = 2


def learned_from(card: ModelCard) -> str:
    """Says what a model learned from and who annotated it."""
    data = card.data
    own = data.paragraphs - data.of_the_base
    parts = []
    if data.of_the_base:
        written = " and a sample of the corpus written for this project" if card.encoder else ""
        of_news = f"{counted(data.of_the_base, 'paragraph')} of news{written}"
        parts.append(f"{of_news}, annotated by {_BASE_CODERS} (the base model)")
    if own:
        parts.append(
            f"{counted(own, 'paragraph')}{' of your own' if parts else ''}, annotated by {_coders(data.coders)}"
        )
    return f"The model learned from {'; and from '.join(parts) or 'no paragraph'}."


def figures_hold_for(card: ModelCard) -> str:
    """Says for which texts the figures on a card hold."""
    evaluation = card.held_out or card.left_out
    how = evaluation.how.partition(f" ({OF_THE_BASE}")[0]
    sentence = (
        "Its figures hold for texts like those on which they were made: "
        f"{counted(evaluation.paragraphs, 'paragraph')} of {counted(evaluation.articles, 'article')} ({how}), "
        f"{texts_of(card, evaluation.how)}"
    )
    if not is_measured_here(card, evaluation.how):
        sentence += f" by {_BASE_CODERS}"
    return f"{sentence}; for other texts it has to be measured again."


def texts_of(card: ModelCard, how: str = "") -> str:
    """Where the texts come from that a model was judged on, in the way that `how` says."""
    data = card.data
    sources = data.own_sources if data.own_sources and is_measured_here(card, how) else data.sources
    if set(sources) <= _written_sources():
        return "the corpus written for this project"
    if data.of_the_base and not is_measured_here(card, how):
        return "news annotated for the base model"
    if len(sources) <= _NAMED_SOURCES:
        return f"texts from {', '.join(sources)}"
    return f"texts from {len(sources)} sources, such as {' and '.join(sources[:_NAMED_SOURCES])}"


def is_measured_here(card: ModelCard, how: str) -> bool:
    """Whether figures were measured on the paragraphs that the model was trained on here, not on those of the base."""
    return OF_THE_BASE not in how and card.data.paragraphs > card.data.of_the_base


@cache
def _written_sources() -> frozenset[str]:
    return frozenset(path.stem for path in DEFAULT_CORPUS.glob("*.jsonl"))


def _coders(counts: Mapping[str, int]) -> str:
    if not counts:
        return "coders whom the card, of an earlier version of this program, does not name"
    named = [f"{name} ({count:,})" for name, count in counts.items()][:_NAMED]
    if len(counts) > _NAMED:
        named.append(f"{len(counts) - _NAMED} more")
    names = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    shipped = [name for name in _CORPUS_CODERS if name in counts]
    # An adjudicator alone may be a person's adjudication.
    note = f" ({', '.join(shipped)}: {_BASE_CODERS} of the shipped corpus)" if shipped[:1] == ["author"] else ""
    return f"{names}{note}"
