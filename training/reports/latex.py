"""Tables for papers: LaTeX (booktabs) and CSV."""

import csv
import io
import re
from collections.abc import Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
}  # fmt: skip
# What the tables of `training.reports.tables` hold, and what is not defined in them.
_WITH_INTERVAL = re.compile(r"(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]")
_INTERVAL = re.compile(r"(-?[\d.]+) to (-?[\d.]+)")
_PERCENT = re.compile(r"-?[\d.]+%")
_UNDEFINED = ("–", "undefined")
# Names of columns of percentages whose cells are shares in a CSV.
_SHARES = {"Percent": "Share of agreement"}
_PATTERN = re.compile("|".join(map(re.escape, _SPECIAL)))


def escaped(text: str) -> str:
    """Escapes a text so that LaTeX prints it literally."""
    return _PATTERN.sub(lambda match: _SPECIAL[match.group()], text)


def latex_table(caption: str, label: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a `table` with booktabs rules, to \\input; the first column is text, the others are figures."""
    lines = [" & ".join(map(escaped, row)) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{label}}}",
            # graphicx shrinks a table that is too wide for the page.
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            " & ".join(map(escaped, head)) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def csv_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns the table as CSV with a header line, in which every figure is a number in a cell of its own.

    A figure with its interval takes three columns, counts with slashes between them one each; percentages become shares
    from 0 to 1, and what is undefined is empty.
    """
    by_column = list(zip(*rows, strict=True)) or [()] * len(head)
    columns = [column for name, cells in zip(head, by_column, strict=True) for column in _split(name, cells)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(zip(*columns, strict=True))
    return out.getvalue()


def _split(name: str, cells: Sequence[str]) -> list[list[str]]:
    """Returns the columns of figures, each with its name first, that a column of texts holds."""
    defined = [cell for cell in cells if cell and cell not in _UNDEFINED]
    for pattern, ends in ((_WITH_INTERVAL, ("", " low", " high")), (_INTERVAL, (" low", " high"))):
        matches = [pattern.fullmatch(cell) for cell in cells]
        if defined and sum(map(bool, matches)) == len(defined):
            figures = [match.groups() if match else ("",) * len(ends) for match in matches]
            return [[name + end, *column] for end, column in zip(ends, zip(*figures, strict=True), strict=True)]
    names = name.split(" / ")
    if len(names) > 1 and all(cell.count(" / ") == len(names) - 1 for cell in defined):
        parts = [cell.split(" / ") if cell in defined else [""] * len(names) for cell in cells]
        return [[part, *column] for part, column in zip(names, zip(*parts, strict=True), strict=True)]
    if defined and all(_PERCENT.fullmatch(cell) for cell in defined):
        shares = [f"{float(cell[:-1]) / 100:.4g}" if cell in defined else "" for cell in cells]
        return [[_SHARES.get(name, name), *shares]]
    return [[name, *("" if cell in _UNDEFINED else cell for cell in cells)]]
