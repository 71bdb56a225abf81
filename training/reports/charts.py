"""The charts of reports: F1, reliability, sources and learning curve, drawn offline by Vega-Lite."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt
import vl_convert

from labels.codebook import UNKNOWN_COLOUR
from labels.colours import readable_on
from training.evaluation import Evaluation
from training.reports.evaluate import CurvePoint, SourceFigure

# An Altair chart of any composition: Altair does not type the operators that combine charts.
Chart: TypeAlias = Any

_GROUNDS = ("#ffffff",)


def svg(chart: Chart) -> str:
    """Returns the chart as an SVG image."""
    return vl_convert.vegalite_to_svg(chart.to_dict())


def pdf(chart: Chart) -> bytes:
    """Returns the chart as a PDF file."""
    return vl_convert.vegalite_to_pdf(chart.to_dict())


def f1_chart(evaluations: Sequence[Evaluation], titles: Mapping[str, str], colours: Mapping[str, str]) -> Chart:
    """Draws F1 of each frame with its interval, a line per evaluation; `titles` and `colours` by frame."""
    rows = [
        {
            "frame": titles[figures.frame],
            "judged": evaluation.how,
            "f1": figures.f1.value,
            "low": figures.f1.low,
            "high": figures.f1.high,
        }
        for evaluation in evaluations
        for figures in evaluation.frames
        if figures.f1.value is not None
    ]
    base = _chart(rows).encode(y=alt.Y("judged:N", title=None), color=_colour(titles, colours).legend(None))
    points = base.mark_point(filled=True, size=60).encode(x=_axis("f1:Q", "F1 with 95% interval"))
    bars = base.mark_rule().encode(x="low:Q", x2="high:Q")
    return (
        (bars + points)
        .properties(width=420)
        .facet(row=alt.Row("frame:N", title=None, header=alt.Header(labelAngle=0, labelAlign="left")))
    )


def reliability_chart(evaluation: Evaluation, titles: Mapping[str, str], colours: Mapping[str, str]) -> Chart:
    """Draws the share of paragraphs that carry each frame against the score; `titles` and `colours` by frame."""
    rows = [
        {"frame": titles[figures.frame], "score": row.mean_score, "share": row.share, "n": row.paragraphs}
        for figures in evaluation.frames
        for row in figures.reliability
    ]
    ideal = [{"score": 0, "share": 0}, {"score": 1, "share": 1}]
    diagonal = _chart(ideal).mark_line(strokeDash=[4, 4], color="#888").encode(x="score:Q", y="share:Q")
    lines = (
        _chart(rows)
        .mark_line(point=True)
        .encode(
            x=_axis("score:Q", "Mean score"),
            y=_vertical("share:Q", "Share that carries it"),
            color=_colour(titles, colours),
        )
    )
    return (diagonal + lines).properties(width=420, height=320)


def sources_chart(sources: Sequence[SourceFigure]) -> Chart:
    """Draws macro F1 on each source, left out of training, with its interval."""
    rows = [
        {"source": s.source, "f1": s.macro_f1.value, "low": s.macro_f1.low, "high": s.macro_f1.high}
        for s in sources
        if s.macro_f1.value is not None
    ]
    base = _chart(rows).encode(y=alt.Y("source:N", title=None, sort="-x"))
    points = base.mark_point(filled=True, size=60, color="#333").encode(x=_axis("f1:Q", "Macro F1, source left out"))
    return (base.mark_rule(color="#333").encode(x="low:Q", x2="high:Q") + points).properties(width=420)


def curve_chart(curve: Sequence[CurvePoint]) -> Chart:
    """Draws the learning curve: held-out macro F1 by paragraphs trained on, with the range of the repeats."""
    rows = [{"paragraphs": p.paragraphs, "f1": p.macro_f1, "low": p.lowest, "high": p.highest} for p in curve]
    base = _chart(rows).encode(x=alt.X("paragraphs:Q", title="Paragraphs trained on", scale=alt.Scale(type="log")))
    band = base.mark_area(opacity=0.2, color="#333").encode(y=_vertical("low:Q", "Held-out macro F1"), y2="high:Q")
    return (band + base.mark_line(point=True, color="#333").encode(y="f1:Q")).properties(width=420, height=260)


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _colour(titles: Mapping[str, str], colours: Mapping[str, str]) -> alt.Color:
    shades = [readable_on(_GROUNDS, colours.get(frame, UNKNOWN_COLOUR)) for frame in titles]
    return alt.Color("frame:N", title=None, scale=alt.Scale(domain=list(titles.values()), range=shades))


def _axis(field: str, title: str) -> alt.X:
    return alt.X(field, title=title, scale=alt.Scale(domain=[0, 1]))


def _vertical(field: str, title: str) -> alt.Y:
    return alt.Y(field, title=title, scale=alt.Scale(domain=[0, 1]))
