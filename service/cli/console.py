"""What all output to the terminal shares, and the short tables. Longer ones are in the modules `console_…`.

Types of what is shown are not imported at run time: scikit-learn and FastAPI would delay every command by more than a
second.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from service.bulk.job import Progress as BulkProgress
    from service.cli.doctor import Finding
    from service.store.keys import Key
    from training.cross_validation import ReportProgress

# Without markup, because square brackets are part of what users write, and Rich would take [words] for styles.
out = Console(markup=False)
err = Console(stderr=True, markup=False)

# Heads of columns that hold words.
_WORDS = ("Frame", "Term", "Article", "What decides", "Source", "Version", "", "Trained", "Reading", "Check", "Kind")


def add_columns(table: Table, names: Sequence[str]) -> None:
    """Adds columns: words to the left and in one line, numbers to the right and broken rather than cut."""
    for name in names:
        is_words = name in _WORDS
        if is_words:
            table.add_column(name, no_wrap=True)
        else:
            table.add_column(name, justify="right", overflow="fold")


@contextmanager
def progress_bar(*, silent: bool = False) -> Iterator[ReportProgress]:
    """Progress on standard error, a bar for each step; nothing where `silent`, as for commands that print JSON."""
    if silent:
        yield lambda _step, _share: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        tasks: dict[str, TaskID] = {}

        def report(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=1.0)
            bar.update(tasks[step], completed=share)

        yield report


@contextmanager
def bulk_progress() -> Iterator[Callable[[BulkProgress, float], None]]:
    """A progress bar on standard error, with the paragraphs scored so far and the time that is left."""
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[paragraphs]:,} paragraphs"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("", total=1.0, paragraphs=0)
        yield lambda done, share: bar.update(task, completed=share, paragraphs=done.paragraphs)


@contextmanager
def counter(noun: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Counts on standard error when the total is unknown; silent unless `shown` and the output is a terminal."""
    columns = (TextColumn("{task.completed} " + noun), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not (shown and err.is_terminal), transient=True) as bar:
        task = bar.add_task(noun, total=None)
        yield lambda: bar.advance(task)


def announce(sentence: str) -> None:
    """Shows on standard error what is about to happen."""
    err.print(sentence, highlight=False, soft_wrap=True)


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Shows a table of texts."""
    table = Table(title=title)
    add_columns(table, head)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def show_sentences(kind: str, sentences: Sequence[str]) -> None:
    """Shows warnings or notes about the figures above."""
    for sentence in sentences:
        out.print(f"{kind}: {sentence}", style="yellow")


def show_keys(keys: Sequence[Key]) -> None:
    table = Table()
    for column in ("Id", "Name", "Role", "Created", "Valid until", "Last used"):
        table.add_column(column, no_wrap=True)
    for key in keys:
        until = "revoked" if key.revoked_at else "unlimited" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}"
        used = "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.role, f"{key.created_at:%Y-%m-%d}", until, used)
    out.print(table)


def show_findings(findings: Sequence[Finding]) -> None:
    """Shows the findings of the doctor."""
    for finding in findings:
        mark = Text("ok    ", "green") if finding.ok else Text("FAULT ", "bold red")
        out.print(mark + Text(f"{finding.subject}: {finding.detail}"))


def optional(value: float | None) -> str:
    """A figure with three decimals; a dash if it could not be computed."""
    return "–" if value is None else f"{value:.3f}"
