"""The encoding of a text: what its byte-order mark, the file itself or its bytes say; UTF-8 where it is valid."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from labels.errors import FileError

UTF_8 = "utf-8"
WESTERN = "windows-1252"

# How to decode so that damage in a record does not end the reading of the others; `is_damaged` finds it.
KEEP_DAMAGE = "surrogateescape"
DAMAGED = "It holds bytes that are no characters in the encoding of the file."
_DAMAGE = re.compile("[\udc80-\udcff]")

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 4096
# What browsers read in its place: pages that declare any of these are written in windows-1252.
_MEANS_WESTERN = {"ascii", "iso8859-1", "latin-1", "cp1252"}
# No file is written in these: decoding takes long, or makes halves of characters, and no browser reads any of them.
_OF_NO_FILE = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
# Bytes around the first that are not UTF-8, from which the encoding is guessed.
_SAMPLE = 2**18
# In a Western language, fewer characters than this are accented letters, quotation marks and dashes, even in a title.
_WESTERN_SHARE = 0.2
_WESTERN_CHARACTERS = re.compile("[À-ÖØ-öø-ÿŠšŽžŒœŸ‘’‚“”„–—…•€£©®™°«»·§¡¿\xa0]")
_NULS_OF_UTF_16 = 0.3
# What files are written in, by the Encoding Standard; a guess among all that Python knows falls on rare ones.
_GUESSED_AMONG = [
    *(f"cp{number}" for number in (866, 874, *range(1250, 1259))),
    *(f"iso8859_{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *("koi8_r", "koi8_u", "mac_roman", "mac_cyrillic"),
    *("gb18030", "big5", "euc_jp", "shift_jis", "iso2022_jp", "euc_kr"),
]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and the encoding that it was read in."""

    text: str
    encoding: str


def encoding_named(name: str) -> str:
    """The encoding that a user or a file names, as Python calls it; raises `FileError` if there is none."""
    try:
        codec = codecs.lookup(name.strip())
        codec.incrementaldecoder(errors="strict").decode(b"")
        is_text = getattr(codec, "_is_text_encoding", True) and codec.name not in _OF_NO_FILE
    except (LookupError, TypeError, ValueError):
        is_text = False
    if not is_text:
        raise FileError(f"There is no encoding '{name}'; write for example utf-8, utf-16 or windows-1252.")
    return WESTERN if codec.name in _MEANS_WESTERN else codec.name


def encoding_of(chunks: Iterable[bytes], declared: str | None = None) -> str:
    """The encoding of a text that comes in chunks. Raises `FileError` if it is no text.

    A byte-order mark decides; without it, a text that is valid UTF-8, or mostly, is UTF-8; else what the text declares
    counts, and without a declaration the encoding is guessed.
    """
    decoder = codecs.getincrementaldecoder(UTF_8)()
    before, before_is_ascii = b"", True
    waiting = iter(chunks)
    for number, chunk in enumerate(waiting):
        if number == 0:
            marked = _marked(chunk)
            if marked is not None:
                return marked
            declared = declared or _declared_in(chunk)
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            near = before[-1024:] + chunk[max(0, error.start - 1024) :]
            sample = (near + next(waiting, b""))[:_SAMPLE]
            is_damaged = not (before_is_ascii and chunk[: error.start].isascii()) or _is_damaged_utf_8(sample)
            return UTF_8 if is_damaged else _other_than_utf_8(sample, declared)
        if b"\0" in chunk:
            return _other_than_utf_8(chunk[:_SAMPLE], declared)
        before, before_is_ascii = chunk, before_is_ascii and chunk.isascii()
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _other_than_utf_8(before[-_SAMPLE:], declared)
    return UTF_8


def decoded(content: bytes, encoding: str | None = None) -> Decoded:
    """The text of a file, in a given encoding or else in its own; raises `FileError` if it cannot be decoded."""
    encoding = encoding_named(encoding) if encoding else encoding_of([content])
    try:
        text = content.decode(encoding_that_drops_marks(encoding))
    except UnicodeDecodeError as error:
        raise FileError(f"It is not text in {encoding}: byte {error.start + 1} is no character.") from error
    return Decoded(text.removeprefix("\ufeff"), shown(encoding))


def encoding_that_drops_marks(encoding: str) -> str:
    """The encoding to decode with, so that a byte-order mark is not a character of the text."""
    return "utf-8-sig" if encoding == UTF_8 else encoding


def shown(encoding: str) -> str:
    """The name to show: a byte-order mark is not an encoding of its own."""
    return UTF_8 if encoding == "utf-8-sig" else encoding


def is_damaged(text: str) -> bool:
    """Whether a text that was decoded with `KEEP_DAMAGE` holds bytes that are no characters."""
    return not text.isascii() and _DAMAGE.search(text) is not None


def is_of_single_bytes(encoding: str) -> bool:
    """Whether line ends and delimiters are the bytes that they are in ASCII."""
    return not encoding.startswith(("utf-16", "utf-32"))


def _marked(content: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def _declared_in(content: bytes) -> str | None:
    match = _DECLARED.search(content[:_DECLARED_WITHIN])
    return (match[1] or match[2]).decode("ascii", "replace") if match else None


def _other_than_utf_8(sample: bytes, declared: str | None) -> str:
    nuls = sample.count(b"\0")
    if nuls:
        return _of_two_bytes(sample)
    if declared is not None:
        try:
            encoding = encoding_named(declared)
            # A page whose declaration can be read is not written in two bytes a character, whatever it says.
            if is_of_single_bytes(encoding) and encoding not in (UTF_8, "utf-8-sig"):
                return encoding
        except FileError:
            pass  # the declaration names no encoding
    return WESTERN if _is_western(sample) else _guessed(sample)


def _is_damaged_utf_8(sample: bytes) -> bool:
    """Whether most of what is not ASCII are characters of UTF-8: a few damaged lines do not change the encoding."""
    others = [character for character in sample.decode(UTF_8, KEEP_DAMAGE) if character >= "\x80"]
    return 2 * sum(_DAMAGE.match(character) is not None for character in others) < len(others)


def _is_western(sample: bytes) -> bool:
    """Whether what is not ASCII is little, and nearly all of it a Western text's if it is read as windows-1252."""
    others = [character for character in sample.decode(WESTERN, "replace") if character >= "\x80"]
    western = sum(_WESTERN_CHARACTERS.match(character) is not None for character in others)
    return len(others) < _WESTERN_SHARE * len(sample) and western >= 0.95 * len(others)


def _of_two_bytes(sample: bytes) -> str:
    """UTF-16 without a byte-order mark has a NUL in every other byte of Latin text."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < _NULS_OF_UTF_16 * len(sample) / 2 or min(even, odd) * 10 > max(even, odd):
        raise FileError("It is not text: it contains the character NUL.")
    return "utf-16-le" if odd > even else "utf-16-be"


def _guessed(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - few files need it

    best = from_bytes(sample, cp_isolation=_GUESSED_AMONG).best()
    if best is None:
        raise FileError("It is not text in any known encoding.")
    return encoding_named(best.encoding)
