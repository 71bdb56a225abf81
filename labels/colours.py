"""Colours of frames: a palette by place for codebooks that name none, and how colours are compared.

The first eight colours of the palette differ for readers with any of the common kinds of colour blindness, and all
have a contrast of 3:1 on the grounds of the pages (tests/test_labels_colours.py simulates both). Fifty colours cannot
all be distinguished, so charts also use shapes, labels and panels.

Lightness and distance are those of OKLab (Björn Ottosson 2020, https://bottosson.github.io/posts/oklab/), contrast is
that of WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from math import cbrt, dist
from typing import NamedTuple, TypeAlias

Lab: TypeAlias = tuple[float, float, float]

# WCAG demands 3 of what is not text; programs that measure it round differently.
LEAST_CONTRAST = 3.01
# Below this distance in OKLab, two colours of a chart are taken for the same.
ALIKE = 0.045
_STEPS = 14


class Shades(NamedTuple):
    """A colour as it is drawn on light and on dark grounds."""

    on_light: str
    on_dark: str


PALETTE: tuple[Shades, ...] = (
    Shades("#3810b2", "#8b53e4"),
    Shades("#81900c", "#fee242"),
    Shades("#1e97a5", "#2f9497"),
    Shades("#852100", "#f27636"),
    Shades("#e63281", "#fcb6d5"),
    Shades("#682849", "#c94365"),
    Shades("#4e6afd", "#78a7f9"),
    Shades("#1a7551", "#a1d49f"),
    Shades("#a43897", "#fb67cc"),
    Shades("#b3203a", "#c77f77"),
    Shades("#5f965f", "#3dfe92"),
    Shades("#493470", "#dcbffd"),
    Shades("#986a28", "#a06e3e"),
    Shades("#9264be", "#876ca5"),
    Shades("#b46c8e", "#c688ae"),
    Shades("#225824", "#46af4a"),
    Shades("#5244db", "#787cf0"),
    Shades("#d66c50", "#e29f81"),
    Shades("#8d496a", "#f44c90"),
    Shades("#098777", "#70cdc6"),
    Shades("#a75b5e", "#e63935"),
    Shades("#762494", "#bd63c5"),
    Shades("#796006", "#f9c462"),
    Shades("#8e2642", "#b06c81"),
    Shades("#e22248", "#f78ca0"),
    Shades("#76467a", "#ec9ade"),
    Shades("#b86fbf", "#b33fbe"),
    Shades("#6a5bb7", "#a493d0"),
    Shades("#b64fde", "#a779ab"),
    Shades("#6e272e", "#c56157"),
    Shades("#915f96", "#f07bfb"),
    Shades("#667f3a", "#b4c82b"),
    Shades("#d55aad", "#c04686"),
    Shades("#e46212", "#b46220"),
    Shades("#3c723d", "#5fbf80"),
    Shades("#2689aa", "#6dbddc"),
    Shades("#cb5d74", "#cd677b"),
    Shades("#803b29", "#e37f64"),
    Shades("#8649e2", "#807ab6"),
    Shades("#b34b71", "#d790a5"),
    Shades("#88285c", "#d0719f"),
    Shades("#6839b1", "#b7b2f2"),
    Shades("#1b608e", "#5599e2"),
    Shades("#985a2e", "#e69053"),
    Shades("#d40c59", "#e05864"),
    Shades("#5c2d60", "#fcc2f1"),
    Shades("#814c0f", "#bc7d19"),
    Shades("#7d3850", "#f997c5"),
    Shades("#9e8337", "#d2c681"),
    Shades("#94494d", "#f8acb8"),
)


def colours_of(named: Sequence[str | None]) -> tuple[str, ...]:
    """A colour for each place: that named for it, or else the next of the palette.

    A colour that an earlier place has tells nothing apart, so it counts as not named. Colours of the palette that look
    like a named colour come last.
    """
    lower = [name.lower() if name else None for name in named]
    own = [None if name in lower[:place] else name for place, name in enumerate(lower)]
    taken = [name for name in own if name]
    if len(taken) == len(own):
        return tuple(taken)
    palette = [shades.on_light for shades in PALETTE]
    free = [colour for colour in palette if all(distance(colour, name) >= ALIKE for name in taken)]
    alike = [colour for colour in palette if colour not in (*free, *taken)]
    following = chain(free, alike)
    return tuple(name or next(following) for name in own)


def distance(colour: str, other: str) -> float:
    """How different two colours look: 0 is the same, 1 is black and white."""
    return dist(_lab(colour), _lab(other))


def contrast(colour: str, ground: str) -> float:
    """The contrast ratio of WCAG, from 1 to 21."""
    darker, lighter = sorted((_luminance(colour), _luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def is_readable(colour: str, grounds: Sequence[str]) -> bool:
    """Whether the colour has enough contrast on each of the grounds."""
    return all(contrast(colour, ground) >= LEAST_CONTRAST for ground in grounds)


def readable_on(grounds: Sequence[str], colour: str) -> str:
    """The colour if it is readable on the grounds, which are all light or all dark; else the nearest such lightness."""
    if is_readable(colour, grounds):
        return colour
    lightness, a, b = _lab(colour)
    too_near, far = lightness, 0.0 if _luminance(grounds[0]) > 0.5 else 1.0
    for _ in range(_STEPS):
        middle = (too_near + far) / 2
        if is_readable(_hex((middle, a, b)), grounds):
            far = middle
        else:
            too_near = middle
    return _hex((far, a, b))


def at_lightness(colour: str, lightness: float) -> str:
    """The colour, lighter or darker: `lightness` is from 0 (black) to 1 (white)."""
    _, a, b = _lab(colour)
    return _hex((lightness, a, b))


def lightness_of(colour: str) -> float:
    """The lightness of a colour, from 0 (black) to 1 (white)."""
    return _lab(colour)[0]


def _luminance(colour: str) -> float:
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return _to_linear(red), _to_linear(green), _to_linear(blue)


def _to_linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _from_linear(channel: float) -> float:
    return channel * 12.92 if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


@lru_cache(maxsize=1024)
def _lab(colour: str) -> Lab:
    red, green, blue = _linear(colour)
    long = cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _hex(lab: Lab) -> str:
    """Writes a colour; a screen that cannot show it as vivid as it is shows it duller, in the same hue."""
    lightness, a, b = lab
    channels = _channels(lab)
    while min(channels) < 0 or max(channels) > 1:
        a, b = 0.9 * a, 0.9 * b
        if abs(a) + abs(b) < 1e-4:
            channels = tuple(min(max(channel, 0.0), 1.0) for channel in channels)
            break
        channels = _channels((lightness, a, b))
    return "#" + "".join(f"{round(255 * _from_linear(channel)):02x}" for channel in channels)


def _channels(lab: Lab) -> tuple[float, ...]:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
