"""Tables for papers: LaTeX (booktabs) and CSV."""

import csv
import io
import re
from collections.abc import Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
}  # fmt: skip
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
    """Returns the table as CSV with a header line."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([head, *rows])
    return out.getvalue()
