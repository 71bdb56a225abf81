"""The colours of the pages in both themes: of frames, of stances, and of versions."""

from collections.abc import Sequence
from functools import lru_cache

from labels.colours import (
    ALIKE,
    PALETTE,
    Shades,
    at_lightness,
    distance,
    is_readable,
    lightness_of,
    readable_on,
)

# What colours stand on: --paper and --raised of static/style.css.
LIGHT_GROUNDS = ("#ffffff", "#f4f6f7")
DARK_GROUNDS = ("#14181c", "#1d2328")

# From who says it to who denies it. They are drawn side by side in bars, beside frames in other charts.
STANCES = {
    "advanced": Shades("#1f5a7a", "#4d9cc4"),
    "reported": Shades("#5b93ad", "#a9d3e6"),
    "contested": Shades("#b5651d", "#e9a24f"),
}
# Classes for things of which charts show a few, and which have no colour of their own.
SERIES = PALETTE[:8]

_SHIFT = 0.05


def styles(colours: Sequence[str]) -> str:
    """A style sheet that gives each frame of the codebook, each stance and each series its colour in both themes."""
    shades = [(f"frame-{place}", shade) for place, shade in enumerate(shades_of(tuple(colours)))]
    shades += [(f"stance-{stance}", shade) for stance, shade in STANCES.items()]
    shades += [(f"series-{place}", shade) for place, shade in enumerate(SERIES)]
    return "".join(f".{name}{{--frame:light-dark({light},{dark})}}\n" for name, (light, dark) in shades)


@lru_cache(maxsize=8)
def shades_of(colours: tuple[str, ...]) -> tuple[Shades, ...]:
    """Each colour as each theme shows it: with enough contrast, and unlike those before it."""
    on_dark = {shades.on_light: shades.on_dark for shades in PALETTE}
    light = _apart(colours, LIGHT_GROUNDS)
    dark = _apart([on_dark.get(colour, colour) for colour in colours], DARK_GROUNDS)
    return tuple(map(Shades, light, dark))


def _apart(colours: Sequence[str], grounds: Sequence[str]) -> list[str]:
    """The colours, readable on the grounds; those that would look like an earlier colour get another lightness."""
    shown: list[str] = []
    for colour in colours:
        readable = readable_on(grounds, colour)
        free = (option for option in _options(readable, grounds) if _is_new(option, shown))
        shown.append(next(free, readable))
    return shown


def _is_new(colour: str, shown: Sequence[str]) -> bool:
    return all(distance(colour, other) >= ALIKE for other in shown)


def _options(colour: str, grounds: Sequence[str]) -> Sequence[str]:
    """The colour, then its readable lighter and darker shades, the nearest first."""
    lightness = lightness_of(colour)
    steps = [step * _SHIFT for step in range(1, 10)]
    shifted = [at_lightness(colour, lightness + way * step) for step in steps for way in (1, -1)]
    return [colour, *(shade for shade in shifted if is_readable(shade, grounds))]
