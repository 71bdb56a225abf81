"""Lines of a plain text, and which of them were wrapped at a column and belong together.

Whether a text is wrapped is judged by the lines themselves: a line that ends within a sentence, whose successor goes on
in lower case, was wrapped. The lengths of these lines say at which column.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

Span = tuple[int, int]

LINE_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029](?:(?<=\r)\n)?")  # begins with a set because that is faster
_SENTENCE_END = re.compile(r"[.!?…:;。۔؟।！？][\"'”’»)\]\s]*$")
_STOP_WITHIN = re.compile(r"[^\W\d_]{2}[.!?][\"'”’»)]*\s+[^\W\d_]")
_FEWEST_DOUBLE_SPACED, _WIDEST = 4, 200
_HYPHEN_END = re.compile(r"[^\W\d_][-\u00ad\u2010]$")
_QUOTE_MARKS = re.compile(r"(?:>[ \t]?)+")
_PAGE_NUMBER = re.compile(r"[-–—|\s]*(?:(?:page|p\.)\s*)?\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?[-–—|\s]*", re.IGNORECASE)
# What a browser prints above and below a page: when it was printed; the address, with the number of the page.
_PRINTED_AT = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4},?\s+\d{1,2}[:.]\d{2}(?:\s*[AP]\.?M\.?)?"
_ADDRESS = r"(?:(?:https?|file|ftp)://|www\.|about:)\S+"
_PAGE_OF = r"\d{1,4}\s?(?:/|of)\s?\d{1,4}"
PRINTED_LINE = re.compile(
    rf"(?:{_PAGE_OF}\s+)?{_PRINTED_AT}(?:\s+{_PAGE_OF})?|{_ADDRESS}\s+{_PAGE_OF}(?:\s+{_PRINTED_AT})?"
    rf"|{_PRINTED_AT}\s+{_ADDRESS}(?:\s+{_PAGE_OF})?",
    re.IGNORECASE,
)
ADDRESS_LINE = re.compile(_ADDRESS, re.IGNORECASE)
_PRINTED_HEAD = re.compile(rf"{_PRINTED_AT}\s+\S.*", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
# Of the lines that end within a sentence, this share must be about as long as the longest. The lines of a poem or of
# paragraphs without punctuation differ more.
_FULL, _SHARE_FULL = 0.7, 0.6
# From this share of broken lines on, among lines that end without a stop and among all, a block was wrapped; names and
# German nouns begin lines in capitals.
_SHARE_BROKEN, _FEWEST_BROKEN = 0.4, 0.1
# Where wrapped lines differ, the longest may be so much longer than the longest that ends within a sentence.
_WIDER = 1.15
# Long addresses are not broken. Where more lines are longer, they are paragraphs.
_MOST_TOO_LONG = 0.05
# A line that is so short, such as a heading, is not part of the paragraph below it.
_SHORT = 0.7
_INDENT, _MOST_INDENTED = 2, 0.7
_LONGEST_RUNNING_HEAD, _REPEATS_APART, _REPEATS_WITHIN = 80, 2, 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, at `text[start:end]` without its margin; `indent` is the width of that margin."""

    start: int
    end: int
    indent: int
    text: str
    is_page_mark: bool = False

    @property
    def length(self) -> int:
        """Number of characters."""
        return self.end - self.start

    @property
    def ends_sentence(self) -> bool:
        """Whether the line ends like a sentence."""
        return bool(_SENTENCE_END.search(self.text))

    @property
    def first_word_length(self) -> int:
        """Length of the first word."""
        return len(self.text.split(None, 1)[0])


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of a plain text, without surrounding white space; a page mark is a page number or a running head."""

    start: int
    end: int
    is_page_mark: bool


def text_pieces(text: str) -> list[TextPiece]:
    """Returns the pieces of a plain text, in order: its lines, where lines that were wrapped belong together."""
    blocks = _with_page_marks(list(_blocks(text)))
    if _is_double_spaced(blocks):
        blocks = [[line for block in blocks for line in block]]
    whole = _wrap_of(blocks)
    pieces: list[list[Line]] = []
    is_wrapped = whole is not None or any(block[0].is_page_mark for block in blocks)
    for block in blocks:
        wrap = whole if whole and whole.fits(block) else _wrap_of([block])
        is_wrapped = is_wrapped or wrap is not None
        pieces += _unwrap(block, wrap) if wrap else [[line] for line in block]
    joined = _join_across_pages(pieces, whole) if is_wrapped else pieces
    return [TextPiece(piece[0].start, piece[-1].end, piece[0].is_page_mark) for piece in joined]


def _blocks(text: str) -> Iterator[list[Line]]:
    """Yields the lines between blank lines; a line of quote marks alone is blank."""
    block: list[Line] = []
    for line in _lines(text):
        if line.length:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _is_double_spaced(blocks: Sequence[Sequence[Line]]) -> bool:
    """Whether blank lines stand between lines that were wrapped: sentences end within some of them.

    Notes, verses and items of a list are lines by themselves.
    """
    if len(blocks) < _FEWEST_DOUBLE_SPACED or any(len(block) > 1 or block[0].is_page_mark for block in blocks):
        return False
    lines = [block[0] for block in blocks]
    if any(line.length > _WIDEST for line in lines) or not any(_STOP_WITHIN.search(line.text) for line in lines):
        return False
    return _wrap_of([lines]) is not None


def line_spans(text: str) -> Iterator[Span]:
    """Yields the spans of all lines, without the line breaks."""
    position = 0
    for line_break in LINE_BREAK.finditer(text):
        yield position, line_break.start()
        position = line_break.end()
    yield position, len(text)


def has_more_words(text: str, most: int) -> bool:
    """Whether a text has more words than that; counts no further, because splitting a long text takes long."""
    return len(text.split(None, most)) > most


def _lines(text: str) -> Iterator[Line]:
    for position, stop in line_spans(text):
        body = text[position:stop].lstrip()
        if body.startswith(">") and (quote := _QUOTE_MARKS.match(body)):
            body = body[quote.end() :].lstrip()
        start = stop - len(body)
        body = body.rstrip()
        yield Line(start, start + len(body), start - position, body)


def _with_page_marks(blocks: list[list[Line]]) -> list[list[Line]]:
    """Marks page numbers, running heads and what a browser prints, and gives each a block of its own.

    Only a text that numbers and heads interrupt within a sentence has them: elsewhere a number may be a heading.
    """
    lines = [line for block in blocks for line in block]
    heads = _running_heads(blocks)
    printed = _printed_lines(lines)
    numbers = {line.start for line in lines if _PAGE_NUMBER.fullmatch(line.text) or _without_digits(line.text) in heads}
    marked = printed | numbers
    if numbers and not _interrupts_a_sentence(lines, marked):
        marked = printed
    if not marked:
        return blocks
    result: list[list[Line]] = []
    for block in blocks:
        part: list[Line] = []
        for line in block:
            if line.start in marked:
                if part:
                    result.append(part)
                result.append([replace(line, is_page_mark=True)])
                part = []
            else:
                part.append(line)
        if part:
            result.append(part)
    return result


def _printed_lines(lines: Sequence[Line]) -> set[int]:
    """Returns the starts of the lines that a browser printed; the title of the page may stand beside the time."""
    is_printed = [PRINTED_LINE.fullmatch(line.text) is not None for line in lines]
    if not any(is_printed):
        return set()
    neighbours = [any(is_printed[max(0, place - 1) : place + 2]) for place in range(len(lines))]
    heads = {
        line.text for line, is_beside in zip(lines, neighbours, strict=True) if is_beside and is_printed_head(line.text)
    }
    return {line.start for line, is_known in zip(lines, is_printed, strict=True) if is_known or line.text in heads}


def is_printed_head(line: str) -> bool:
    """Whether a line may be what a browser prints above a page: the time of printing and the title, not a sentence."""
    return _PRINTED_HEAD.fullmatch(line) is not None and not line.endswith(".")


def _interrupts_a_sentence(lines: Sequence[Line], marked: set[int]) -> bool:
    between = False
    before: Line | None = None
    for line in lines:
        if line.start in marked:
            between = True
            continue
        if between and before is not None and _goes_on(before, line):
            return True
        before, between = line, False
    return False


def _running_heads(blocks: Sequence[Sequence[Line]]) -> set[str]:
    """Returns the lines, without their digits, that stand at the top or foot of several pages.

    They stand alone or beside the number of the page; a line within a block must be repeated more often.
    """
    count: Counter[str] = Counter()
    for block in blocks:
        numbers = [_PAGE_NUMBER.fullmatch(line.text) is not None for line in block]
        for place, line in enumerate(block):
            if line.length <= _LONGEST_RUNNING_HEAD and not line.ends_sentence and not line.text[0].islower():
                is_apart = len(block) == 1 or any(numbers[max(0, place - 1) : place + 2])
                count[_without_digits(line.text)] += _REPEATS_WITHIN if is_apart else _REPEATS_APART
    enough = _REPEATS_WITHIN * _REPEATS_APART
    return {text for text, weight in count.items() if weight >= enough and any(map(str.isalpha, text))}


def _without_digits(text: str) -> str:
    return _DIGITS.sub("", text).strip(" |–—-").casefold() if len(text) <= _LONGEST_RUNNING_HEAD else text


def _goes_on(line: Line, following: Line) -> bool:
    """Whether the sentence at the end of a line continues on the following line."""
    if _HYPHEN_END.search(line.text):
        return following.text[0].isalpha()
    return not line.ends_sentence and following.text[0].islower()


def _is_broken(line: Line, following: Line, width: int) -> bool:
    """Whether a line ends within a sentence; where writing has no lower case, a full line does."""
    if _goes_on(line, following):
        return True
    has_no_lower_case = line.text.upper() == line.text
    return has_no_lower_case and not line.ends_sentence and _reach(line, following) > width


def _reach(line: Line, following: Line) -> int:
    """Length that a line would have with the first word of the next line."""
    return line.length + 1 + following.first_word_length


@dataclass(frozen=True, slots=True)
class _Wrap:
    """How lines were wrapped: at most `width` long, and as long as they could be from a `shortest` reach on."""

    width: int
    shortest: int

    def fits(self, block: Sequence[Line]) -> bool:
        """Whether no line of a block is longer."""
        return all(line.length <= self.width for line in block)

    def ends_early(self, line: Line, following: Line) -> bool:
        """Whether the next line begins something new, although its first word would have fitted on the line."""
        if _goes_on(line, following):
            return False
        return _reach(line, following) < (self.shortest if line.ends_sentence else _SHORT * self.shortest)


def _wrap_of(blocks: Sequence[Sequence[Line]]) -> _Wrap | None:
    """Returns how the lines of blocks were wrapped; None if they were not."""
    pairs = [pair for block in blocks for pair in pairwise(block)]
    if not pairs:
        return None
    longest = max(line.length for pair in pairs for line in pair)
    broken = [(line, following) for line, following in pairs if _is_broken(line, following, longest)]
    without_stop = sum(not line.ends_sentence for line, _ in pairs)
    if not broken or len(broken) < max(_SHARE_BROKEN * without_stop, _FEWEST_BROKEN * len(pairs)):
        return None
    longest_broken = max(line.length for line, _ in broken)
    most = round(_WIDER * longest_broken)
    are_full = sum(line.length >= _FULL * longest_broken for line, _ in broken) >= _SHARE_FULL * len(broken)
    too_long = sum(following.length > most for _, following in pairs)
    if not are_full or too_long > _MOST_TOO_LONG * len(pairs):
        return None
    return _measured(pairs, broken, most)


def _measured(pairs: Sequence[tuple[Line, Line]], broken: Sequence[tuple[Line, Line]], most: int) -> _Wrap:
    """Returns the width of wrapped lines, and from which reach on they are full.

    An editor breaks exactly where the next word would not fit. In print lines vary, because letters do: there the
    shorter ones of the broken lines say what is full.
    """
    width = max(line.length for pair in pairs for line in pair if line.length <= most)
    reached = sorted(_reach(line, following) for line, following in broken)
    # A word that was hyphenated fitted in part.
    is_exact = all(reach > width for reach in reached) or any(_HYPHEN_END.search(line.text) for line, _ in broken)
    return _Wrap(width, width + 1 if is_exact else min(width + 1, reached[len(reached) // 10]))


def _unwrap(block: Sequence[Line], wrap: _Wrap) -> Iterator[list[Line]]:
    """Yields the paragraphs of a block of wrapped lines: by their indents, else where a line ends early."""
    margin = min(line.indent for line in block)
    indented = [line.indent >= margin + _INDENT for line in block]
    by_indent = 0 < sum(indented[1:]) <= _MOST_INDENTED * len(block)
    piece = [block[0]]
    for (line, following), is_indented in zip(pairwise(block), indented[1:], strict=True):
        if is_indented if by_indent else wrap.ends_early(line, following):
            yield piece
            piece = []
        piece.append(following)
    yield piece


def _join_across_pages(pieces: Sequence[list[Line]], wrap: _Wrap | None) -> list[list[Line]]:
    """Joins the halves of a paragraph that a page break, or blank lines between wrapped lines, divide."""
    result: list[list[Line]] = []
    waiting: list[list[Line]] = []
    for piece in pieces:
        if piece[0].is_page_mark:
            waiting.append(piece)
            continue
        before = result[-1][-1] if result and not result[-1][0].is_page_mark else None
        if before and (_goes_on(before, piece[0]) or (waiting and _is_cut_off(before, piece[0], wrap))):
            # Extended in place: a copy for each piece would take time that grows with the square of their number.
            result[-1] += [*(line for mark in waiting for line in mark), *piece]
        else:
            result += [*waiting, piece]
        waiting = []
    return result + waiting


def _is_cut_off(line: Line, following: Line, wrap: _Wrap | None) -> bool:
    """Whether a full line at the foot of a page ends without a stop: a name may follow on the next page."""
    return wrap is not None and not line.ends_sentence and _reach(line, following) >= wrap.shortest
