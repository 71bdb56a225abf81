"""Scored articles in the terminal: frames, paragraphs with their evidence, and the summary of a bulk job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from labels.wording import counted
from service.cli.console import add_columns, announce, out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.bulk.job import Summary
    from service.schemas.articles import Classified, ParagraphAnswer

_STYLE = {"present": "bold green", "uncertain": "yellow", "absent": "dim"}
_SHOWN_EVIDENCE = 5


def show_classified(name: str, answer: Classified, titles: dict[str, str]) -> None:
    """Shows an article: its frames, then each paragraph with its evidence underlined.

    `titles` has the title of each frame by its key.
    """
    facts = [f"model {answer.model.version}", answer.language, answer.operating_point]
    if answer.article.about_score is not None:
        facts.append(f"about {answer.article.about} (score of the subject {answer.article.about_score:.2f})")
    table = Table(title=" · ".join([name, *facts]))
    add_columns(table, ("Frame", "Article", "Score", "Share", "Paragraphs"))
    for key, frame in answer.article.frames.items():
        table.add_row(
            titles.get(key, key),
            Text(frame.decision, _STYLE[frame.decision]),
            f"{frame.score:.2f}",
            f"{frame.share:.0%}",
            str(frame.paragraphs),
        )
    out.print(table)
    for paragraph in answer.paragraphs:
        out.print(_paragraph(paragraph, titles))
    for piece in answer.skipped:
        out.print(Text(f"   skipped ({piece['reason']}): {piece['text']}", "dim"))
    out.print()


def _paragraph(paragraph: ParagraphAnswer, titles: dict[str, str]) -> Text:
    text = Text(f"{paragraph['index']:>3} ")
    text.append_text(_underlined(paragraph))
    for key, frame in paragraph["frames"].items():
        if frame["decision"] != "absent":
            text.append(f"\n     {titles.get(key, key)}: ", "bold")
            text.append(f"{frame['decision']} {frame['score']:.2f}", _STYLE[frame["decision"]])
            if "stance" in frame:
                text.append(f", {frame['stance']}")
            words = [f"{span['text']} {span['weight']:+.2f}" for span in frame.get("evidence", [])[:_SHOWN_EVIDENCE]]
            text.append(f"  {', '.join(words)}", "dim")
    return text


def _underlined(paragraph: ParagraphAnswer) -> Text:
    """The text of a paragraph, with the words underlined that speak for a frame that is present."""
    text = Text(paragraph["text"])
    for frame in paragraph["frames"].values():
        if frame["decision"] == "present":
            for span in frame.get("evidence", [])[:_SHOWN_EVIDENCE]:
                if span["weight"] > 0:
                    start, end = span["start"] - paragraph["start"], span["end"] - paragraph["start"]
                    text.stylize("underline bold", start, end)
    return text


def _passed_over(summary: Summary) -> str:
    names = ", ".join(summary.passed_over)
    more = summary.files_passed_over - len(summary.passed_over)
    return f"Passed over, as no articles by their ending: {names}{f' and {more:,} more' if more else ''}."


def encodings_other(encodings: Mapping[str, int]) -> list[str]:
    """Says how many articles were read in which encodings other than UTF-8, if any were."""
    others = {name: count for name, count in encodings.items() if name != "utf-8"}
    counts = [f"{counted(count, 'article')} as {name}" for name, count in others.items()]
    return [f"Read from files that are not in UTF-8: {', '.join(counts)}."] if counts else []


def show_bulk(summary: Summary) -> None:
    reused = f" {summary.files_reused:,} files were there from an earlier run." if summary.files_reused else ""
    for sentence in (
        *encodings_other(summary.encodings),
        _passed_over(summary) if summary.files_passed_over else "",
        *summary.examples,
    ):
        if sentence:
            announce(sentence)
    out.print(
        f"Scored {counted(summary.paragraphs, 'paragraph')} of {counted(summary.articles, 'article')} into "
        f"{summary.output}; {counted(summary.problems, 'article')} could not be scored "
        f"(see the column problem).{reused}",
        soft_wrap=True,
    )
