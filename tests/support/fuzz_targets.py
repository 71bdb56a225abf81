"""The targets of fuzzing.py, which runs `python -m tests.support.fuzz_targets NAME SECONDS FOLDER` for each."""

import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["labels", "service.routes.articles"]):
    from labels.codebook import Codebook, codebook_to_toml, read_codebook
    from labels.errors import ArticleError, CodebookError, FramingError
    from labels.exchange import FORMATS, ExchangedAnnotation, require_format
    from labels.paragraphs import Paragraph, Skipped, SplitArticle, split_html, split_text
    from service.http.paging import ARTICLE_PATTERN, read_article_cursor

from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.articles import TWO_PARAGRAPHS
from tests.support.fuzzing import EVERYTHING, FINDINGS

_PAGE = (
    "<html><body><nav><a href=/>Home</a></nav>"
    f"<article><h1>A</h1><p>{TWO_PARAGRAPHS}</p><table><tr><td>1</table></article>"
)

# What an import may be answered with: stored, or refused with a sentence.
_EXPECTED = (201, 400, 413, 422)

Target = Callable[[bytes], None]
# A function that reads bytes, and valid input to start from.
Fuzzed = tuple[Target, list[bytes]]


def _text(content: bytes) -> None:
    with suppress(ArticleError):
        _require_offsets(split_text(_decoded(content)))


def _html(content: bytes) -> None:
    with suppress(ArticleError):
        _require_offsets(split_html(_decoded(content)))


def _decoded(content: bytes) -> str:
    """Decodes to any string, even with lone surrogates."""
    return content.decode("utf-8", "surrogateescape")


def _require_offsets(article: SplitArticle) -> None:
    pieces: list[Paragraph | Skipped] = [*article.paragraphs, *article.skipped]
    for piece in pieces:
        if article.text[piece.start : piece.end] != piece.text or not piece.text:
            raise AssertionError("An offset does not point to its text.")


def _cursor(content: bytes) -> None:
    cursor = _decoded(content)
    if re.fullmatch(ARTICLE_PATTERN, cursor):
        read_article_cursor(cursor)


def _codebook(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file, suppress(CodebookError):
        Path(file.name).write_bytes(content)
        read_codebook(Path(file.name))


@cache
def _client() -> TestClient:
    """A client of the service, with an empty database that goes with the process."""
    settings = Settings(data_dir=Path(tempfile.mkdtemp(prefix="fuzzed")), start="nothing", worker=False)
    client = TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False)
    return client.__enter__()


def _importer(name: str, codebook: Codebook) -> Target:
    """Reads a file here, where the fuzzer sees which code it reaches, and then has the service import it."""

    def read(content: bytes) -> None:
        with suppress(FramingError):
            require_format(name).read(content, codebook)
        answer = _client().post("/v1/annotations/import", params={"format": name}, content=content)
        if answer.status_code not in _EXPECTED:
            raise AssertionError(f"The import was answered with {answer.status_code}: {answer.text[:500]}")

    return read


def targets() -> dict[str, Fuzzed]:
    """All targets by name."""
    codebook = read_codebook()
    annotations = [ExchangedAnnotation("ana", TWO_PARAGRAPHS, "radio", {"foreign_hand": "reported"}, note='a, "b"')]
    importers = {
        f"import {name}": (_importer(name, codebook), [form.write(annotations, codebook)])
        for name, form in FORMATS.items()
    }
    single = {
        "text": (_text, [TWO_PARAGRAPHS.encode(), b"By A B\n\nShare this\n\n- a\n- b\n"]),
        "html": (_html, [_PAGE.encode()]),
        "cursor": (_cursor, [b"63900000000000000-12"]),
        "codebook": (_codebook, [codebook_to_toml(codebook).encode()]),
        **importers,
    }
    return {**single, EVERYTHING: _everything(list(single.values()))}


def _everything(single: list[Fuzzed]) -> Fuzzed:
    """A target that hands its input to another, chosen by the first byte."""

    def choose(content: bytes) -> None:
        if content:
            single[content[0] % len(single)][0](content[1:])

    return choose, [bytes([number]) + content for number, (_, valid) in enumerate(single) for content in valid]


def fuzz_here(name: str, seconds: float, folder: Path) -> None:
    """Fuzzes a target; does not return, as libFuzzer ends the process."""
    target, valid = targets()[name]
    for number, content in enumerate(valid):
        (folder / f"valid-{number}").write_bytes(content)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={max(1, round(seconds))}", "-max_len=20000", "-timeout=20", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], str(folder), f"-artifact_prefix={FINDINGS}/{name.replace(' ', '-')}-", *limits], target)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz_here(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
