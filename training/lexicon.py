"""What is known of words besides the paragraphs: which are forms of one another, mean much the same, or are names."""

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
# Within a sentence: after a word, a comma or a semicolon.
_INSIDE = re.compile(r"(?<=[\w,;] )[^\W\d_]\w+")
_WORD = re.compile(r"\w\w+")
_MOST_CAPITALS = 0.3
"""Share of capitalised words from which on a text is a headline, or of a language that capitalises all nouns."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`concepts` are sets of normal words that mean much the same; `names` are left out of a model's vocabulary.

    `classes` are sets of words that weigh the same, whichever of them stands there.

    `stems` has what the forms of a word have in common, of the words for which that is another text than the word.
    """

    concepts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    classes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    stems: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    """The other spelling of words that have one: both weigh the same."""

    def respell(self, term: str) -> str:
        """The other spelling of a term; the term itself where it has none."""
        return self._each(term, self.spellings)

    def stem(self, term: str) -> str:
        """What the forms of a term of one or several words have in common."""
        return self._each(term, self.stems)

    @staticmethod
    def _each(term: str, forms: Mapping[str, str]) -> str:
        if " " not in term:
            return forms.get(term, term)
        return " ".join(forms.get(word, word) for word in term.split(" "))


def lexicon_of(texts: Sequence[str], codebook: Codebook) -> Lexicon:
    """What n texts, as coders read them, and the concepts and classes of a codebook say of words."""
    concepts, classes = (
        {name: frozenset(map(normalise, words)) for name, words in lists.items()}
        for lists in (codebook.concepts, codebook.classes)
    )
    listed = frozenset[str]().union(*concepts.values(), *classes.values())
    words = listed.union(*(_WORD.findall(normalise(text)) for text in texts))
    language = _language(texts)
    spellings = {word: other for word in words if (other := american(word)) != word} if language == "en" else {}
    return Lexicon(concepts, classes, proper_names(texts) - listed, _stems(words, language), spellings)


def one_spelling(texts: Iterable[str], lexicon: Lexicon) -> list[str]:
    """Normal texts with the words that have two spellings in the first of them."""
    first = {other: word for word, other in lexicon.spellings.items()}
    return [_WORD.sub(lambda match: first.get(match.group(), match.group()), text) for text in texts]


def _language(texts: Sequence[str]) -> str:
    """The language of most texts, told from a few of them."""
    languages = Counter(detect_language(text).code for text in texts[:: max(1, len(texts) // _TEXTS_FOR_LANGUAGE)])
    return languages.most_common(1)[0][0] if languages else ""


def _stems(words: Iterable[str], language: str) -> dict[str, str]:
    """The stems of words; none in a language whose forms are not known."""
    if language not in _STEMMERS:
        return {}
    import Stemmer  # noqa: PLC0415 - a megabyte that servers need not hold

    listed = list(words)
    stems = Stemmer.Stemmer(_STEMMERS[language]).stemWords(listed)
    return {word: stem for word, stem in zip(listed, stems, strict=True) if stem != word}


def proper_names(texts: Iterable[str]) -> frozenset[str]:
    """Normal forms of the words that are capitalised within sentences more often than not.

    Headlines, and texts in which all nouns are capitalised, say nothing of names and are passed over.
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
    """How often words occur, those of the same normal form together."""
    found = Counter[str]()
    for word, count in counts.items():
        found[normalise(word)] += count
    return found
