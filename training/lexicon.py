"""The lexicon: which words are forms of each other, belong to a concept or class, or are proper names."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labels.codebook import Codebook
from labels.language import detect_language
from labels.normalise import normalise
from labels.spelling import american

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "fi": "finnish", "fr": "french", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip
_TEXTS_FOR_LANGUAGE = 25
# A word within a sentence: after a word, a comma or a semicolon.
_INSIDE = re.compile(r"(?<=[\w,;] )[^\W\d_]\w+")
_WORD = re.compile(r"\w\w+")
# A text with a larger share of capitalised words is a headline, or its language capitalises all nouns.
_MOST_CAPITALS = 0.3


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Knowledge about normalised words that a model uses besides the paragraphs.

    `concepts` are sets of words of similar meaning. The words of a set in `classes` all weigh the same. `names` stay
    out of a model's vocabulary. `stems` maps words to their stem where it is not the word itself, `spellings` to their
    other spelling; both spellings weigh the same.
    """

    concepts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    classes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    stems: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)

    def respell(self, term: str) -> str:
        """Returns the other spelling of a term; the term itself where it has none."""
        return self._each(term, self.spellings)

    def stem(self, term: str) -> str:
        """Returns the stem of each word of a term."""
        return self._each(term, self.stems)

    @staticmethod
    def _each(term: str, forms: Mapping[str, str]) -> str:
        if " " not in term:
            return forms.get(term, term)
        return " ".join(forms.get(word, word) for word in term.split(" "))


def lexicon_of(texts: Sequence[str], codebook: Codebook) -> Lexicon:
    """Builds the lexicon from n texts, as coders read them, and the concepts and classes of a codebook."""
    concepts, classes = (
        {name: frozenset(map(normalise, words)) for name, words in lists.items()}
        for lists in (codebook.concepts, codebook.classes)
    )
    listed = frozenset[str]().union(*concepts.values(), *classes.values())
    words = listed.union(*(_WORD.findall(normalise(text)) for text in texts))
    language = _language(texts)
    spellings = {word: other for word in words if (other := american(word)) != word} if language == "en" else {}
    return Lexicon(concepts, classes, proper_names(texts) - listed, _stems(words, language), spellings)


def unify_spelling(texts: Iterable[str], lexicon: Lexicon) -> list[str]:
    """Replaces each word of n normal texts that has two spellings by the first of them."""
    first = {other: word for word, other in lexicon.spellings.items()}
    return [_WORD.sub(lambda match: first.get(match.group(), match.group()), text) for text in texts]


def _language(texts: Sequence[str]) -> str:
    """Returns the language of most texts, detected on a sample of them."""
    languages = Counter(detect_language(text).code for text in texts[:: max(1, len(texts) // _TEXTS_FOR_LANGUAGE)])
    return languages.most_common(1)[0][0] if languages else ""


def _stems(words: Iterable[str], language: str) -> dict[str, str]:
    """Returns the stems of words; empty for a language without a stemmer."""
    if language not in _STEMMERS:
        return {}
    import Stemmer  # noqa: PLC0415 - a megabyte that servers do not need

    listed = list(words)
    stems = Stemmer.Stemmer(_STEMMERS[language]).stemWords(listed)
    return {word: stem for word, stem in zip(listed, stems, strict=True) if stem != word}


def proper_names(texts: Iterable[str]) -> frozenset[str]:
    """Returns the normal forms of words that are capitalised within sentences more often than not.

    Ignores headlines and texts in which all nouns are capitalised, because they do not show what a name is.
    """
    capital, small = Counter[str](), Counter[str]()
    for text in texts:
        words = _INSIDE.findall(text)
        capitals = [word for word in words if word[0].isupper()]
        if len(capitals) < _MOST_CAPITALS * len(words):
            capital.update(capitals)
            small.update(word for word in words if not word[0].isupper())
    normal, usual = _by_normal_form(capital), _by_normal_form(small)
    return frozenset(word for word, count in normal.items() if count > usual[word])


def _by_normal_form(counts: Mapping[str, int]) -> Counter[str]:
    """Adds up the counts of words with the same normal form."""
    normal = Counter[str]()
    for word, count in counts.items():
        normal[normalise(word)] += count
    return normal
