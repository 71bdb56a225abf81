"""Documents of figures: the text is a template beside the benchmark that measures the figures."""

import argparse
import sys
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from tests.support.paths import ROOT


def arguments(description: str | None, example: str) -> argparse.ArgumentParser:
    """A parser of options that shows the description as it is written, and an example."""
    return argparse.ArgumentParser(
        description=description,
        epilog=f"Example: python -m {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def render(template: Path, **figures: object) -> str:
    """Fills a template; every figure that it names must be given."""
    page = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 - Markdown
    return page.from_string(template.read_text(encoding="utf-8")).render(figures) + "\n"


def publish(text: str, name: str, *, write: bool) -> None:
    """Prints a document and, if `write` is set, puts it into docs/."""
    print(text)
    if write:
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")


def show(line: str) -> None:
    """Says on standard error what is being measured."""
    print(line, file=sys.stderr, flush=True)


def objects(head: list[str], rows: list[list[str]]) -> list[dict[str, str]]:
    """The rows of a table as objects, for JSON."""
    return [dict(zip(head, row, strict=True)) for row in rows]
