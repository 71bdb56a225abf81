"""The charts of the pages as Vega-Lite specifications, made with Altair.

A chart refers to its data by the name `rows`. The page fetches the rows from the API, and sets what depends on them,
such as the height. Colours come from the codebook. Run as a program, the module writes the charts and the Vega bundle
of the installed vl-convert into a folder, so that a server imports neither.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import Codebook, read_codebook
from service.pages.assets import BUNDLE, CHARTS

# A plain or composed Altair chart; Altair does not type the operators that compose them.
Chart = Any

_ROWS = alt.NamedData("rows")
_STANCE_COLOURS = ("#1f5a7a", "#8fb8cc", "#d98a2b")
_SHARE = alt.Axis(format="%", title=None)


def charts(codebook: Codebook) -> Mapping[str, Any]:
    """The Vega-Lite specification of each chart, by name."""
    titles = [frame.title for frame in codebook.frames]
    colours = [frame.colour for frame in codebook.frames]
    colour = alt.Color("title:N", scale=alt.Scale(domain=titles, range=colours), title=None)
    colour = colour.legend(orient="bottom")
    by_name = {
        "prevalence": _prevalence(colour),
        "outlets": _outlets(colour, titles),
        "pairs": _pairs(titles),
        "stances": _stances(),
        "reliability": _reliability(colour),
        "versions": _versions(),
    }
    return {name: _as_dict(chart) for name, chart in by_name.items()}


def _as_dict(chart: Chart) -> dict[str, Any]:
    specification: dict[str, Any] = chart.to_dict()
    specification.pop("config", None)  # the page sets the colours of axes and texts, light or dark
    return specification


def _prevalence(colour: Any) -> Chart:
    chosen = alt.selection_point(fields=["title"], bind="legend", name="chosen")
    time = alt.X("period:T", axis=alt.Axis(title=None, labelOverlap=True, tickCount=8))
    base = alt.Chart(_ROWS).encode(x=time, color=colour, opacity=alt.condition(chosen, alt.value(1), alt.value(0.12)))
    band = base.mark_area(fillOpacity=0.18).encode(y=alt.Y("low:Q", axis=_SHARE), y2="high:Q")
    line = base.mark_line(strokeWidth=2).encode(y=alt.Y("share:Q", axis=_SHARE)).add_params(chosen)
    point = base.mark_point(filled=True, size=36).encode(y="share:Q", tooltip=_tooltip("period:T"))
    return (band + line + point).properties(width="container", height=300)


def _outlets(colour: Any, titles: Sequence[str]) -> Chart:
    offset = alt.YOffset("title:N", sort=list(titles))
    base = alt.Chart(_ROWS).encode(y=alt.Y("outlet:N", title=None), yOffset=offset, color=colour)
    interval = base.mark_rule(strokeWidth=3, opacity=0.45).encode(x=alt.X("low:Q", axis=_SHARE), x2="high:Q")
    point = base.mark_point(filled=True, size=60).encode(x=alt.X("share:Q", axis=_SHARE), tooltip=_tooltip("outlet:N"))
    return (interval + point).properties(width="container")


def _tooltip(where: str) -> list[Any]:
    shares = ("share", "low", "high", "raw_share")
    return [
        alt.Tooltip(where),
        alt.Tooltip("title:N", title="frame"),
        *(alt.Tooltip(f"{name}:Q", format=".1%", title=name.replace("_", " ")) for name in shares),
        alt.Tooltip("total:Q", title="counted"),
        alt.Tooltip("correction:N"),
        alt.Tooltip("reliability_tier:N", title="reliability tier"),
    ]


def _pairs(titles: Sequence[str]) -> Chart:
    base = alt.Chart(_ROWS).encode(
        x=alt.X("other_title:N", title=None, sort=list(titles), axis=alt.Axis(labelAngle=-35)),
        y=alt.Y("title:N", title=None, sort=list(titles)),
    )
    scale = alt.Scale(scheme="tealblues", domainMin=0)
    heat = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("share:Q", scale=scale, legend=None),
        tooltip=[
            alt.Tooltip("title:N", title="frame"),
            alt.Tooltip("other_title:N", title="with"),
            alt.Tooltip("paragraphs:Q"),
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("lift:Q", format=".1f"),
        ],
    )
    text = base.mark_text(fontSize=12, color="#111111").encode(
        text=alt.Text("share:Q", format=".1%"),
        color=alt.condition("datum.share > 0.6 * datum.most", alt.value("#ffffff"), alt.value("#111111")),
    )
    return (heat + text).properties(width="container")


def _stances() -> Chart:
    colour = alt.Color(
        "stance:N", scale=alt.Scale(domain=list(SPECIFIED_STANCES), range=list(_STANCE_COLOURS)), title=None
    )
    shares = [alt.Tooltip(f"{name}:Q", format=".1%") for name in ("share", "low", "high")]
    base = alt.Chart(_ROWS).encode(
        y=alt.Y("who:N", title=None, sort=None),
        x=alt.X("share:Q", stack="zero", axis=_SHARE, scale=alt.Scale(domain=[0, 1])),
        order=alt.Order("place:Q"),
        color=colour.legend(orient="bottom"),
        tooltip=[alt.Tooltip("who:N", title=" "), alt.Tooltip("stance:N"), *shares, alt.Tooltip("count:Q")],
    )
    return alt.layer(base.mark_bar(cornerRadius=2)).properties(width="container")


def _reliability(colour: Any) -> Chart:
    score = alt.X("mean_score:Q", scale=alt.Scale(domain=[0, 1]), title="mean score")
    share = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), title="share that carry the frame")
    ends = alt.Chart(alt.InlineData(values=[{"a": 0}, {"a": 1}]))
    diagonal = ends.mark_line(strokeDash=[4, 4], color="#888888").encode(x="a:Q", y="a:Q")
    base = alt.Chart(_ROWS).encode(x=score, y=share, color=colour)
    tooltip = [alt.Tooltip("title:N"), alt.Tooltip("mean_score:Q", format=".2f"), alt.Tooltip("share:Q", format=".2f")]
    lines = base.mark_line() + base.mark_point(filled=True).encode(
        size=alt.Size("paragraphs:Q", legend=None), tooltip=[*tooltip, alt.Tooltip("paragraphs:Q")]
    )
    return (diagonal + lines).properties(width="container", height=320)


def _versions() -> Chart:
    base = alt.Chart(_ROWS).encode(x=alt.X("version:N", sort=None, title=None, axis=alt.Axis(labelAngle=0)))
    figure = alt.Y("value:Q", scale=alt.Scale(domain=[0, 1]), title="macro F1")
    how = alt.Color("short:N", title=None, legend=alt.Legend(orient="bottom", columns=1, labelLimit=0))
    shift = alt.XOffset("short:N")
    rule = base.mark_rule(strokeWidth=3, opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q", color=how, xOffset=shift)
    tooltip = [
        alt.Tooltip("version:N"),
        alt.Tooltip("short:N", title="measured on"),
        *(alt.Tooltip(f"{n}:Q", format=".2f") for n in ("value", "low", "high")),
    ]
    point = base.mark_point(filled=True, size=70).encode(y=figure, color=how, xOffset=shift, tooltip=tooltip)
    return (rule + point).properties(width="container", height=220)


def main(codebook: Path, folder: Path) -> None:
    """Writes the charts of a codebook and the Vega bundle into a folder."""
    import vl_convert  # noqa: PLC0415 - takes 130 MiB, and only this function needs it

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHARTS).write_text(json.dumps(charts(read_codebook(codebook))), encoding="utf-8")
    (folder / BUNDLE).write_text(vl_convert.javascript_bundle(), encoding="utf-8")  # type: ignore[call-arg]  # its stub is too strict


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
