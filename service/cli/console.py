"""What the terminal shows: tables, highlighted evidence, progress.

What is shown is imported for its types only: at run time it would bring scikit-learn and FastAPI to every command, more
than a second.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from training.reports.card import (
    BASELINES_HEAD,
    FIGURES_HEAD,
    STANCES_HEAD,
    baselines_rows,
    figure_text,
    figures_rows,
    stances_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labels.agreement import FrameAgreement
    from labels.codebook import Codebook
    from service.bulk.job import Done, Summary
    from service.cli.doctor import Finding
    from service.schemas.annotations import AgreementAnswer
    from service.schemas.articles import Classified, ParagraphAnswer
    from service.schemas.models import ModelList
    from service.store.keys import Key
    from training.cross_validation import Progress as Report
    from training.evaluation import Evaluation
    from training.registry.versions import Promotion
    from training.reports.evaluate import EvaluationReport

out = Console()
err = Console(stderr=True)

_WORDS = ("Frame", "Article", "What decides", "Source", "Version", "", "Trained", "Note", "Reading", "Check", "Kind")


def _column(table: Table, name: str) -> None:
    """Words to the left and never cut, numbers to the right."""
    table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=name in _WORDS and name != "Note")


_STYLE = {"present": "bold green", "uncertain": "yellow", "absent": "dim"}
_SHOWN_EVIDENCE = 5


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A progress bar on standard error, one line a step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as bar:
        tasks: dict[str, TaskID] = {}

        def report(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=1.0)
            bar.update(tasks[step], completed=share)

        yield report


@contextmanager
def bulk_progress() -> Iterator[Callable[[Done, float], None]]:
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


def show_keys(keys: Sequence[Key]) -> None:
    table = Table()
    for column in ("Id", "Name", "Role", "Made", "Works until", "Used last"):
        table.add_column(column, no_wrap=True)
    for key in keys:
        until = "revoked" if key.revoked_at else "no end" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}"
        used = "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.role, f"{key.created_at:%Y-%m-%d}", until, used)
    out.print(table)


def show_bulk(summary: Summary) -> None:
    found = f" {summary.files_found:,} files were there from an earlier run." if summary.files_found else ""
    out.print(
        f"Scored {summary.paragraphs:,} paragraphs of {summary.articles:,} articles into {summary.output}; "
        f"{summary.problems:,} articles could not be scored (see the column problem).{found}",
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def counter(what: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Counts on standard error what has no known end; silent unless `shown` and a person is looking."""
    columns = (TextColumn("{task.completed} " + what), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not (shown and err.is_terminal), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda: bar.advance(task)


def show_classified(name: str, answer: Classified, titles: dict[str, str]) -> None:
    """An article's frames, then each paragraph with its evidence underlined."""
    table = Table(title=f"{name} · model {answer.model.version} · {answer.language} · {answer.operating_point}")
    for column in ("Frame", "Article", "Score", "Share", "Paragraphs"):
        _column(table, column)
    for frame, found in answer.article.frames.items():
        table.add_row(
            titles.get(frame, frame),
            Text(found.decision, _STYLE[found.decision]),
            f"{found.score:.2f}",
            f"{found.share:.0%}",
            str(found.paragraphs),
        )
    out.print(table)
    for paragraph in answer.paragraphs:
        out.print(_paragraph(paragraph, titles))
    for piece in answer.skipped:
        out.print(Text(f"   set aside ({piece['reason']}): {piece['text']}", "dim"))
    out.print()


def _paragraph(paragraph: ParagraphAnswer, titles: dict[str, str]) -> Text:
    text = Text(f"{paragraph['index']:>3} ")
    body = Text(paragraph["text"])
    for found in paragraph["frames"].values():
        if found["decision"] == "present":
            for span in found.get("evidence", [])[:_SHOWN_EVIDENCE]:
                if span["weight"] > 0:
                    start, end = span["start"] - paragraph["start"], span["end"] - paragraph["start"]
                    body.stylize("underline bold", start, end)
    text.append_text(body)
    for frame, found in paragraph["frames"].items():
        if found["decision"] != "absent":
            text.append(f"\n     {titles.get(frame, frame)}: ", "bold")
            text.append(f"{found['decision']} {found['score']:.2f}", _STYLE[found["decision"]])
            if "stance" in found:
                text.append(f", {found['stance']}")
            words = [f"{span['text']} {span['weight']:+.2f}" for span in found.get("evidence", [])[:_SHOWN_EVIDENCE]]
            text.append(f"  {', '.join(words)}", "dim")
    return text


def show_evaluation(evaluation: Evaluation) -> None:
    """Figures a frame, macro and micro."""
    table = Table(title=f"{evaluation.how}: {evaluation.paragraphs:,} paragraphs of {evaluation.articles:,} articles")
    for column in FIGURES_HEAD:
        _column(table, column)
    for number, row in enumerate(figures_rows(evaluation), 1):
        table.add_row(*row, end_section=number == len(evaluation.frames))
    out.print(table)


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Any table of texts."""
    shown = Table(title=title)
    for column in head:
        _column(shown, column)
    for row in rows:
        shown.add_row(*row)
    out.print(shown)


def show_sentences(kind: str, sentences: Sequence[str]) -> None:
    """What a reader of the figures above has to know: warnings or notes."""
    for sentence in sentences:
        out.print(f"{kind}: {sentence}", style="yellow", markup=False)


def show_report(report: EvaluationReport) -> None:
    """The whole evaluation."""
    show_evaluation(report.left_out)
    if report.held_out:
        show_evaluation(report.held_out)
    if report.stances:
        title = f"Stances of frames that are present, {report.stances.overall.how}"
        show_table(title, STANCES_HEAD, stances_rows(report.stances))
    show_table(
        f"Baselines on the same paragraphs as '{report.left_out.how}'",
        BASELINES_HEAD,
        baselines_rows(report.baselines_left_out, report.left_out),
    )
    _show_reliability(report.left_out)
    show_table(
        "Macro F1 on each source, by models that never saw it",
        ("Source", "Paragraphs", "Macro F1"),
        [(source.source, str(source.paragraphs), figure_text(source.macro_f1)) for source in report.by_source],
    )
    show_table(
        "Learning curve: macro F1 on the held-out articles",
        ("Paragraphs trained on", "Mean", "Range"),
        [(f"{p.paragraphs:,}", f"{p.macro_f1:.2f}", f"{p.lowest:.2f}–{p.highest:.2f}") for p in report.learning_curve],
    )


def _show_reliability(evaluation: Evaluation) -> None:
    table = Table(title="Reliability: paragraphs by score, and the share of them that carries the frame")
    for column in ("Frame", "Score", "Paragraphs", "Mean score", "Share"):
        _column(table, column)
    for figures in evaluation.frames:
        for row in figures.reliability:
            table.add_row(
                figures.frame,
                f"{row.low:.1f}–{row.high:.1f}",
                str(row.paragraphs),
                f"{row.mean_score:.2f}",
                f"{row.share:.2f}",
            )
        table.add_section()
    out.print(table)


def show_models(models: ModelList, history: Sequence[Promotion]) -> None:
    """Versions with their figures, and the history of promotions."""
    table = Table(title="Models")
    for column in ("Version", "", "Trained", "Paragraphs", "Macro F1, sources left out", "Macro F1, held out", "Note"):
        _column(table, column)
    for model in models.models:
        held_out = model.held_out.macro_f1 if model.held_out else None
        table.add_row(
            model.version,
            Text("champion", "bold green") if model.champion else "",
            f"{model.created_at:%Y-%m-%d %H:%M}",
            str(model.paragraphs),
            _optional(model.left_out.macro_f1.value),
            _optional(held_out.value if held_out else None),
            model.note,
        )
    for damaged in models.damaged:
        table.add_row(damaged.version, Text("damaged", "bold red"), "", "", "", "", damaged.fault)
    out.print(table)
    for promotion in history:
        out.print(
            f"{promotion.number:>4}  {promotion.at[:19]}  {promotion.action} {promotion.version} "
            f"by {promotion.by}: {promotion.reason}",
            markup=False,
        )


def _optional(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def show_agreement(results: Sequence[FrameAgreement]) -> None:
    """Agreement a frame."""
    table = Table(title="Agreement between coders (adjudicators left out)")
    for column in (
        "Frame",
        "Krippendorff's alpha",
        "95% interval",
        "Reading",
        "Percent agreement",
        "Coders",
        "Paragraphs",
    ):
        _column(table, column)
    for result in results:
        interval = f"{result.interval[0]:.3f}–{result.interval[1]:.3f}" if result.interval else "–"
        percent = "–" if result.percent is None else f"{result.percent:.1%}"
        table.add_row(
            result.frame,
            _optional(result.alpha),
            interval,
            result.reading,
            percent,
            str(result.coders),
            str(result.paragraphs),
        )
    out.print(table)


def show_stored_agreement(answer: AgreementAnswer) -> None:
    """Agreement over all coders, by pair, and the disagreements."""
    pairs = [(" and ".join(pair.coders), pair.frames) for pair in answer.pairs]
    for title, figures in [("All coders", answer.frames), ("Stance, all coders", answer.stance), *pairs]:
        table = Table(title=f"{title} · Krippendorff's alpha")
        for column in ("Frame", "Alpha", "95% interval", "Reading", "Percent agreement", "Paragraphs"):
            _column(table, column)
        for found in figures:
            interval = f"{found.interval[0]:.2f}–{found.interval[1]:.2f}" if found.interval else "–"
            percent = "–" if found.percent is None else f"{found.percent:.1%}"
            row = (found.frame, _optional(found.alpha), interval, found.reading, percent, str(found.paragraphs))
            table.add_row(*row)
        out.print(table)
    for disagreement in answer.disagreements:
        codes = "; ".join(f"{coder}: {', '.join(frames) or 'none'}" for coder, frames in disagreement.codes.items())
        state = f"settled by {disagreement.settled_by}" if disagreement.settled_by else "open"
        out.print(Text(f"{state} · {codes}", "bold"))
        out.print(Text(f"  {disagreement.text}"))


def show_codebook(codebook: Codebook) -> None:
    """Frames with their definitions."""
    out.print(f"[bold]{codebook.name}[/bold], version {codebook.version}\n")
    for frame in codebook.frames:
        out.print(Text(f"{frame.title} ({frame.key})", f"bold {frame.colour}"))
        out.print(frame.definition, markup=False)
        for entry in frame.include:
            out.print(f"  + {entry}", markup=False)
        for entry in frame.exclude:
            out.print(f"  - {entry}", markup=False)
        out.print()


def show_findings(findings: Sequence[Finding]) -> None:
    """What the doctor found."""
    for finding in findings:
        mark = Text("ok    ", "green") if finding.ok else Text("FAULT ", "bold red")
        out.print(mark + Text(f"{finding.subject}: {finding.detail}"))
