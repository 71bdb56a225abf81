"""The charts of the pages as Vega-Lite specifications, made with Altair.

A chart refers to its data by the names `rows` and `ends`. The page fetches the rows from the API, and sets what depends
on them and on the theme: sizes, colours, and the parameters below. Run as a program, the module writes the charts and
the Vega bundle of the installed vl-convert into a folder, so that a server imports neither.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import altair as alt

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import Codebook, read_codebook
from service.pages.assets import BUNDLE, CHARTS
from service.pages.palette import SERIES, STANCES

# A plain or composed Altair chart; Altair does not type the operators that compose them.
Chart = Any

# What the page sets: the series brought out (empty: none), the point that the keyboard is at, where the axis of shares
# ends, the room for names, colours of the theme, the size of the figures in the table of pairs, and long
# names broken into lines: those at the left, and those above panels.
_PARAMETERS: Mapping[str, Any] = {
    "chosen": "",
    "at": -1,
    "room": 160,
    "top": 1,
    "ink": "#1b2126",
    "faint": "#55606a",
    "low": "#f4f6f7",
    "high": "#0f5c78",
    "low_text": "#1b2126",
    "high_text": "#ffffff",
    "turn": 0.7,
    "figure": 12,
    "lines": {},
    "heads": {},
}
# Shapes tell series apart where colours do not: in print, and for colour-blind readers.
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")

_ROWS = alt.NamedData("rows")
_ENDS = alt.NamedData("ends")
_SHARE = alt.Axis(format="%", title=None, tickCount=5)
_TO_TOP = alt.Scale(domain=[0, alt.ExprRef("top")], nice=False)
# Names of outlets and frames at the left of a chart, where the axis is narrow.
_NAMES = alt.Axis(labelExpr="lines[datum.label] || (datum.label)")
_WHOLE = alt.Scale(domain=[0, 1])
_AT = "datum.n === at"
# Marks of other rows are transparent rather than left out: Vega complains of layers without a row.
_ONLY_THERE = alt.condition(_AT, alt.value(1), alt.value(0))
_GAP = 18


def charts(codebook: Codebook) -> Mapping[str, Any]:
    """The Vega-Lite specification of each chart, by name; those of `-panels` have a panel for each frame."""
    titles = [frame.title for frame in codebook.frames]
    by_frame = _Series("title", titles, list(codebook.colours.values()))
    by_stance = _Series("stance", SPECIFIED_STANCES, [STANCES[stance].on_light for stance in SPECIFIED_STANCES])
    by_name = {
        "prevalence": _prevalence(by_frame),
        "prevalence-panels": _panels(_prevalence_panel(by_frame), by_frame),
        "outlets": _outlets(by_frame),
        "outlets-panels": _panels(_outlets_panel(by_frame), by_frame),
        "pairs": _pairs(titles),
        "stances": _stances(by_stance),
        "reliability": _reliability(by_frame),
        "reliability-panels": _panels(_reliability_panel(by_frame), by_frame),
        "versions": _versions(_Series("short", [], [shades.on_light for shades in SERIES])),
    }
    return {name: _as_dict(chart) for name, chart in by_name.items()}


def _as_dict(chart: Chart) -> dict[str, Any]:
    specification: dict[str, Any] = chart.to_dict()
    specification.pop("config", None)  # the page sets the colours of axes and texts, light or dark
    specification["params"] = [{"name": name, "value": value} for name, value in _PARAMETERS.items()]
    return specification


class _Series:
    """The things that colours and shapes tell apart, which the legend of a chart names."""

    def __init__(self, field: str, names: Sequence[str], colours: Sequence[str]) -> None:
        self.field = field
        self.names = list(names)
        shapes = list(islice(cycle(SHAPES), len(colours)))
        known: Any = self.names or alt.Undefined
        self.colour = alt.Color(
            f"{field}:N", scale=alt.Scale(domain=known, range=list(colours)), title=None, legend=None
        )
        self.shape = alt.Shape(f"{field}:N", scale=alt.Scale(domain=known, range=shapes), title=None, legend=None)

    def is_chosen(self) -> str:
        """The expression for a row of the series that the legend brings out."""
        return f"datum.{self.field} === chosen"

    def drawn(self, base: Chart) -> Chart:
        """The base in the colours of the series; what is not brought out is faint."""
        shown = alt.condition(f"chosen === '' || {self.is_chosen()}", alt.value(1), alt.value(0.15))
        return base.encode(color=self.colour, opacity=shown)

    def in_front(self, layers: Sequence[Chart]) -> Chart:
        """The layers, then again what is brought out, because the order of layers decides what covers what."""
        chosen = alt.condition(self.is_chosen(), alt.value(1), alt.value(0))
        return alt.layer(*layers, *(layer.encode(opacity=chosen) for layer in layers))


def _when() -> Any:
    """Days are those of UTC, as everywhere in the product."""
    return alt.X("period:T", axis=alt.Axis(title=None, labelOverlap=True, tickCount=8), scale=alt.Scale(type="utc"))


def _by_time(series: _Series, size: int = 46) -> list[Chart]:
    base = series.drawn(alt.Chart(_ROWS).encode(x=_when()))
    share = alt.Y("share:Q", axis=_SHARE, scale=_TO_TOP)
    band = base.mark_area(fillOpacity=0.13).encode(y=alt.Y("low:Q", axis=_SHARE, scale=_TO_TOP), y2="high:Q")
    line = base.mark_line(strokeWidth=2).encode(y=share)
    point = base.mark_point(filled=True, size=size).encode(y=share, shape=series.shape, tooltip=_tooltip("when:N"))
    return [band, line, point]


def _prevalence(series: _Series) -> Chart:
    share = alt.Y("share:Q", axis=_SHARE, scale=_TO_TOP)
    end = alt.Chart(_ENDS).encode(x=alt.value("width"), y=alt.Y("place:Q", axis=_SHARE, scale=_TO_TOP))
    mark = series.drawn(end).mark_point(filled=True, size=46, xOffset=10).encode(shape=series.shape)
    faint = alt.condition(f"chosen === '' || {series.is_chosen()}", alt.value(1), alt.value(0.35))
    name = end.mark_text(align="left", dx=_GAP, baseline="middle", fontSize=12, limit=alt.ExprRef("room"))
    name = name.encode(text="title:N", color=alt.value(alt.ExprRef("ink")), opacity=faint)
    return alt.layer(series.in_front(_by_time(series)), mark, name, _ring(_when(), share)).properties(height=300)


def _prevalence_panel(series: _Series) -> Chart:
    layers = _by_time(series, size=26)
    return alt.layer(*layers, _ring(_when(), alt.Y("share:Q", axis=_SHARE, scale=_TO_TOP)))


def _ring(x: Any, y: Any, **more: Any) -> Chart:
    """A ring around the point that the keyboard is at."""
    ring = alt.Chart(_ROWS).mark_point(size=240, strokeWidth=2.5, filled=False, stroke=alt.ExprRef("ink"))
    return ring.encode(x=x, y=y, opacity=_ONLY_THERE, **more)


def _panels(panel: Chart, series: _Series) -> Chart:
    header = alt.Header(
        title=None,
        labelFontSize=12,
        labelFontWeight=600,
        labelAnchor="start",
        labelPadding=4,
        labelExpr="heads[datum.label] || (datum.label)",
    )
    facet = alt.Facet(f"{series.field}:N", sort=series.names, header=header, title=None)
    return alt.layer(*panel.layer, data=_ROWS).facet(facet=facet, columns=3, spacing=20)


def _by_outlet(series: _Series, **offset: Any) -> list[Chart]:
    base = series.drawn(alt.Chart(_ROWS).encode(y=alt.Y("outlet:N", title=None, axis=_NAMES), **offset))
    share = alt.X("share:Q", axis=_SHARE, scale=_TO_TOP)
    interval = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", axis=_SHARE, scale=_TO_TOP), x2="high:Q")
    point = base.mark_point(filled=True, size=64).encode(x=share, shape=series.shape, tooltip=_tooltip("outlet:N"))
    return [interval, point, _ring(share, alt.Y("outlet:N", title=None, axis=_NAMES), **offset)]


def _outlets(series: _Series) -> Chart:
    *layers, ring = _by_outlet(series, yOffset=alt.YOffset("title:N", sort=series.names))
    return alt.layer(series.in_front(layers), ring)


def _outlets_panel(series: _Series) -> Chart:
    return alt.layer(*_by_outlet(series))


def _tooltip(where: str) -> list[Any]:
    shares = ("share", "low", "high", "raw_share")
    return [
        alt.Tooltip(where, title="outlet" if where.startswith("outlet") else "period"),
        alt.Tooltip("title:N", title="frame"),
        *(alt.Tooltip(f"{name}:Q", format=".1%", title=name.replace("_", " ")) for name in shares),
        alt.Tooltip("total:Q", title="counted", format=","),
        alt.Tooltip("correction:N"),
        alt.Tooltip("reliability_tier:N", title="reliability tier"),
    ]


def _pairs(titles: Sequence[str]) -> Chart:
    across = alt.Axis(orient="top", labelAngle=-40, labelAlign="left", labelBaseline="middle", labelOffset=4)
    base = alt.Chart(_ROWS).encode(
        x=alt.X("other_title:N", title=None, sort=list(titles), axis=across),
        y=alt.Y("title:N", title=None, sort=list(titles)),
    )
    scale = alt.Scale(range=[alt.ExprRef("low"), alt.ExprRef("high")], domainMin=0)
    heat = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("share:Q", scale=scale, legend=None),
        tooltip=[
            alt.Tooltip("title:N", title="frame"),
            alt.Tooltip("other_title:N", title="with"),
            alt.Tooltip("count:Q", title="with both", format=","),
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("lift:Q", format=".1f"),
        ],
    )
    ring = base.mark_rect(cornerRadius=3, filled=False, stroke=alt.ExprRef("ink"), strokeWidth=2.5)
    ring = ring.encode(opacity=_ONLY_THERE)
    text = base.mark_text(fontSize=alt.ExprRef("figure")).encode(
        text=alt.Text("share:Q", format=".1%"),
        color=alt.condition(
            "datum.share > turn * datum.most",
            alt.value(alt.ExprRef("high_text")),
            alt.value(alt.ExprRef("low_text")),
        ),
    )
    return heat + text + ring


def _stances(series: _Series) -> Chart:
    shares = [alt.Tooltip(f"{name}:Q", format=".1%") for name in ("share", "low", "high")]
    base = alt.Chart(_ROWS).encode(
        y=alt.Y("who:N", title=None, sort=None, axis=_NAMES),
        x=alt.X("share:Q", stack="zero", axis=_SHARE, scale=_WHOLE),
        order=alt.Order("place:Q"),
    )
    counted = alt.Tooltip("count:Q", title="paragraphs", format=",")
    bars = (
        series.drawn(base)
        .mark_bar(cornerRadius=2)
        .encode(tooltip=[alt.Tooltip("who:N", title=" "), alt.Tooltip("stance:N"), *shares, counted])
    )
    stroke = alt.condition(_AT, alt.value(alt.ExprRef("ink")), alt.value("transparent"))
    return alt.layer(bars.encode(stroke=stroke, strokeWidth=alt.value(2.5)))


def _binned(series: _Series) -> list[Chart]:
    score = alt.X("mean_score:Q", scale=_WHOLE, title="mean score", axis=alt.Axis(tickCount=5))
    share = alt.Y("share:Q", scale=_WHOLE, title="share that carry the frame", axis=alt.Axis(tickCount=5))
    base = series.drawn(alt.Chart(_ROWS).encode(x=score, y=share))
    tooltip = [
        alt.Tooltip("title:N", title="frame"),
        alt.Tooltip("mean_score:Q", format=".2f", title="mean score"),
        alt.Tooltip("share:Q", format=".2f"),
        alt.Tooltip("paragraphs:Q", format=","),
    ]
    size = alt.Size("paragraphs:Q", legend=None, scale=alt.Scale(range=[30, 160]))
    point = base.mark_point(filled=True).encode(shape=series.shape, size=size, tooltip=tooltip)
    return [base.mark_line(), point, _ring(score, share)]


def _diagonal() -> Chart:
    """Where calibrated scores lie. It is made from the rows of the chart, so that every panel has it."""
    ends = (
        alt.Chart(_ROWS).transform_calculate(zero="0", one="1").transform_aggregate(least="min(zero)", most="max(one)")
    )
    line = ends.mark_rule(strokeDash=[4, 4], stroke=alt.ExprRef("faint"))
    return line.encode(x=alt.X("least:Q", scale=_WHOLE), y=alt.Y("least:Q", scale=_WHOLE), x2="most:Q", y2="most:Q")


def _reliability(series: _Series) -> Chart:
    *layers, ring = _binned(series)
    return alt.layer(_diagonal(), series.in_front(layers), ring).properties(height=320)


def _reliability_panel(series: _Series) -> Chart:
    return alt.layer(_diagonal(), *_binned(series))


def _versions(series: _Series) -> Chart:
    base = series.drawn(
        alt.Chart(_ROWS).encode(
            x=alt.X("version:N", sort=None, title=None, axis=alt.Axis(labelAngle=0)), xOffset=alt.XOffset("short:N")
        )
    )
    figure = alt.Y("value:Q", scale=_WHOLE, title="macro F1", axis=alt.Axis(tickCount=5))
    rule = base.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", scale=_WHOLE), y2="high:Q")
    tooltip = [
        alt.Tooltip("version:N"),
        alt.Tooltip("short:N", title="measured on"),
        *(alt.Tooltip(f"{n}:Q", format=".2f") for n in ("value", "low", "high")),
    ]
    point = base.mark_point(filled=True, size=70).encode(y=figure, shape=series.shape, tooltip=tooltip)
    ring = _ring(alt.X("version:N", sort=None, title=None), figure, xOffset=alt.XOffset("short:N"))
    return alt.layer(series.in_front([rule, point]), ring).properties(height=220)


def main(codebook: Path, folder: Path) -> None:
    """Writes the charts of a codebook and the Vega bundle into a folder."""
    import vl_convert  # noqa: PLC0415 - takes 130 MiB, and only this function needs it

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHARTS).write_text(json.dumps(charts(read_codebook(codebook))), encoding="utf-8")
    (folder / BUNDLE).write_text(vl_convert.javascript_bundle(), encoding="utf-8")  # type: ignore[call-arg]  # its stub is too strict


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
