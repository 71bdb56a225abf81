"""What is fuzzed, in a process of its own: `python -m benchmarks.fuzz_targets NAME SECONDS FOLDER` (see fuzzing.py)."""

import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["labels", "service.routes.articles"]):
    from labels.codebook import Codebook, codebook_to_toml, read_codebook
    from labels.errors import ArticleError, CodebookError, FramingError
    from labels.exchange import FORMATS, Code
    from labels.paragraphs import Paragraph, Skipped, SplitArticle, split_html, split_text
    from service.routes.articles import CURSOR_PATTERN, read_cursor

from benchmarks.faults import TEXT
from benchmarks.fuzzing import EVERYTHING, FOUND

_PAGE = f"<html><body><nav><a href=/>Home</a></nav><article><h1>A</h1><p>{TEXT}</p><table><tr><td>1</table></article>"

Target = Callable[[bytes], None]
Fuzzed = tuple[Target, list[bytes]]


def _text(content: bytes) -> None:
    with suppress(ArticleError):
        _require_offsets(split_text(_decoded(content)))


def _html(content: bytes) -> None:
    with suppress(ArticleError):
        _require_offsets(split_html(_decoded(content)))


def _decoded(content: bytes) -> str:
    """Any string, lone surrogates and all."""
    return content.decode("utf-8", "surrogateescape")


def _require_offsets(article: SplitArticle) -> None:
    pieces: list[Paragraph | Skipped] = [*article.paragraphs, *article.skipped]
    for piece in pieces:
        if article.text[piece.start : piece.end] != piece.text or not piece.text:
            raise AssertionError("An offset does not point at its text.")


def _cursor(content: bytes) -> None:
    shown = _decoded(content)
    if re.fullmatch(CURSOR_PATTERN, shown):
        read_cursor(shown)


def _codebook(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file, suppress(CodebookError):
        Path(file.name).write_bytes(content)
        read_codebook(Path(file.name))


def _importer(name: str, codebook: Codebook) -> Target:
    def read(content: bytes) -> None:
        with suppress(FramingError):
            FORMATS[name].read(content, codebook)

    return read


def targets() -> dict[str, Fuzzed]:
    """By name what is fuzzed, and sound inputs to begin with."""
    codebook = read_codebook()
    codes = [Code("ana", TEXT, "radio", {"foreign_hand": "reported"}, note='a, "b"')]
    importers = {
        f"import {name}": (_importer(name, codebook), [each.write(codes, codebook)]) for name, each in FORMATS.items()
    }
    each = {
        "text": (_text, [TEXT.encode(), b"By A B\n\nShare this\n\n- a\n- b\n"]),
        "html": (_html, [_PAGE.encode()]),
        "cursor": (_cursor, [b"63900000000000000-12"]),
        "codebook": (_codebook, [codebook_to_toml(codebook).encode()]),
        **importers,
    }
    return {**each, EVERYTHING: _everything(list(each.values()))}


def _everything(each: list[Fuzzed]) -> Fuzzed:
    """One target of all: the first byte says for which the others are."""

    def choose(content: bytes) -> None:
        if content:
            each[content[0] % len(each)][0](content[1:])

    return choose, [bytes([number]) + one for number, (_, sound) in enumerate(each) for one in sound]


def fuzz_here(name: str, seconds: float, folder: Path) -> None:
    """Fuzzes a target in this process, which ends with it: libFuzzer does not return."""
    target, sound = targets()[name]
    for number, content in enumerate(sound):
        (folder / f"sound-{number}").write_bytes(content)
    FOUND.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={max(1, round(seconds))}", "-max_len=20000", "-timeout=20", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], str(folder), f"-artifact_prefix={FOUND}/{name.replace(' ', '-')}-", *limits], target)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz_here(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
