"""The codebook and the agreement of coders in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from labels.wording import counted
from service.cli.console import add_columns, optional, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labels.agreement import FrameAgreement
    from labels.codebook import Codebook
    from service.coding.exchange import Imported
    from service.schemas.annotations import AgreementAnswer, AgreementFigures
    from service.schemas.models import WeeksAnswer

_AGREEMENT_HEAD = ("Frame", "Alpha", "95% interval", "Reading", "Percent agreement", "Paragraphs")


def show_codebook(codebook: Codebook) -> None:
    """Shows the frames with their definitions."""
    out.print(Text.assemble((codebook.name, "bold"), f", version {codebook.version}\n"))
    colours = codebook.colours
    for frame in codebook.frames:
        out.print(Text(f"{frame.title} ({frame.key})", f"bold {colours[frame.key]}"))
        out.print(frame.definition)
        for entry in frame.include:
            out.print(f"  + {entry}")
        for entry in frame.exclude:
            out.print(f"  - {entry}")
        out.print()
    for number, case in enumerate(codebook.cases, 1):
        out.print(Text(f"Case {number}: {case.title} ({', '.join(case.frames)})", "bold"))
        out.print(case.rule)


def show_import(imported: Imported) -> None:
    """Shows what an import stored, by frame and coder, and what it set aside."""
    single = imported.annotations == 1
    verb = "would be" if imported.dry_run else "was" if single else "were"
    coders = f" by {', '.join(imported.coders)}"
    _say(f"{imported.annotations} annotation{'' if single else 's'}{coders} {verb} stored.")
    counts = {**imported.by_frame, "no frame": imported.without_frames}
    _say(", ".join(f"{name} {count}" for name, count in counts.items()))
    if len(imported.by_coder) > 1:
        _say(", ".join(f"{coder} {count}" for coder, count in imported.by_coder.items()))
    if imported.adjudications:
        _say(f"{imported.adjudications} of them settle a disagreement (role adjudicator).")
    for reason in imported.reasons:
        places = ", ".join(reason.first) + (", …" if reason.count > len(reason.first) else "")
        _say(f"{reason.count} set aside: {reason.reason} ({places})")
    for label, count in imported.ignored_labels.items():
        _say(f"The label '{label}' was left out {counted(count, 'time')}.")
    for note in imported.notes:
        _say(note)


def _say(line: str) -> None:
    """Prints a line as it is, however long, so that a script can read it."""
    out.print(line, highlight=False, soft_wrap=True)


def show_agreement(results: Sequence[FrameAgreement]) -> None:
    """Shows the agreement on each frame of the corpus."""
    table = Table(title="Agreement between coders (without adjudicators)")
    head = ("Frame", "Krippendorff's alpha", "95% interval", "Reading", "Percent agreement", "Coders", "Paragraphs")
    add_columns(table, head)
    for result in results:
        table.add_row(
            result.frame,
            optional(result.alpha),
            f"{result.interval[0]:.3f}–{result.interval[1]:.3f}" if result.interval else "–",
            result.reading,
            _percent(result.percent),
            str(result.coders),
            str(result.paragraphs),
        )
    out.print(table)


def show_stored_agreement(answer: AgreementAnswer) -> None:
    """Shows the agreement of all coders and of each pair, and the disagreements."""
    _show_figures("All coders", answer.frames)
    _show_figures("Stance, all coders", answer.stance)
    for pair in answer.pairs:
        _show_figures(" and ".join(pair.coders), pair.frames)
    for coder in answer.with_adjudicated:
        _show_figures(f"{coder.coder} and the adjudicated label", coder.frames)
    for disagreement in answer.disagreements:
        decisions = "; ".join(
            f"{coder}: {', '.join(frames) or 'none'}" for coder, frames in disagreement.annotations.items()
        )
        state = f"settled by {disagreement.settled_by}" if disagreement.settled_by else "open"
        out.print(Text(f"{state} · {decisions}", "bold"))
        out.print(Text(f"  {disagreement.text}"))


def show_weeks(answer: WeeksAnswer) -> None:
    """Shows the champion against annotations, week by week, and what that says."""
    table = Table(title=f"Model {answer.version} against annotations, by week of the article")
    add_columns(table, ("Week from", "Articles", "Annotations", "Micro F1", "Lowest by chance"))
    for week in answer.weeks:
        f1 = Text(f"{optional(week.f1)} declined", "bold red") if week.declined else optional(week.f1)
        lowest = optional(week.lowest_by_chance)
        table.add_row(f"{week.week}", str(week.articles), str(week.paragraphs), f1, lowest)
    out.print(table)
    _say(answer.reading)


def _show_figures(title: str, figures: Sequence[AgreementFigures]) -> None:
    table = Table(title=f"{title} · Krippendorff's alpha")
    add_columns(table, _AGREEMENT_HEAD)
    for row in figures:
        interval = f"{row.interval[0]:.2f}–{row.interval[1]:.2f}" if row.interval else "–"
        percent = _percent(row.percent)
        table.add_row(row.frame, optional(row.alpha), interval, row.reading, percent, str(row.paragraphs))
    out.print(table)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
