"""Colours of frames: distinct for colour-blind readers, readable in both themes, and never invented in files.

Colour blindness is simulated with coloraide, after Machado, Oliveira and Fernandes 2009 (doi:10.1109/TVCG.2009.113) and
after Viénot, Brettel and Mollon 1999 (doi:10.1002/(SICI)1520-6378(199908)24:4<243::AID-COL5>3.0.CO;2-3).
"""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from coloraide import Color
from hypothesis import example, given
from hypothesis import strategies as st

import service.pages
from labels.codebook import Codebook, Frame, codebook_to_toml, read_codebook
from labels.colours import LEAST_CONTRAST, PALETTE, colours_of, contrast, readable_on
from service.pages.palette import DARK_GROUNDS, LIGHT_GROUNDS, STANCES, shades_of, styles

# CIEDE2000: 2 is just noticeable side by side. These are as far apart as patches in a chart need.
APART, APART_OF_THE_BLIND = 16, 11
STYLE = (Path(service.pages.__file__).parent / "static/style.css").read_text(encoding="utf-8")
colours = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


def seen(colour: str, by: tuple[str, str] | None) -> Color:
    return Color(colour) if by is None else Color(colour).filter(by[0], method=by[1])


def difference(first: str, second: str, by: tuple[str, str] | None) -> float:
    return seen(first, by).delta_e(seen(second, by), method="2000")


@pytest.mark.parametrize("theme", ["on_light", "on_dark"])
@pytest.mark.parametrize(
    "by", [None, *((eyes, method) for eyes in ("protan", "deutan") for method in ("machado", "vienot"))], ids=str
)
def test_the_first_eight_colours_differ_for_all_readers(theme, by):
    first = [getattr(shades, theme) for shades in PALETTE[:8]]
    least = APART if by is None else APART_OF_THE_BLIND
    assert {pair: d for pair in combinations(first, 2) if (d := difference(*pair, by)) < least} == {}


def test_fifty_colours_are_fifty_and_readable_in_both_themes():
    assert len(PALETTE) == 50
    for place, grounds in ((0, LIGHT_GROUNDS), (1, DARK_GROUNDS)):
        shades = [pair[place] for pair in [*PALETTE, *STANCES.values()]]
        assert min(Color(shade).contrast(Color(ground)) for shade in shades for ground in grounds) >= 3
        assert len({pair[place] for pair in PALETTE}) == 50
        assert min(difference(*pair, None) for pair in combinations([pair[place] for pair in PALETTE], 2)) > 2


def test_the_grounds_are_those_of_the_style_sheet():
    for place, grounds in ((1, LIGHT_GROUNDS), (2, DARK_GROUNDS)):
        named = [re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", STYLE)[place] for name in ("paper", "raised")]
        assert named == list(grounds)


@given(colours)
@example("#ffffff")
@example("#000000")
@example("#ffff00")
@example("#0000ff")
def test_every_colour_of_a_codebook_is_readable_in_both_themes_and_keeps_its_hue(colour):
    for grounds in (LIGHT_GROUNDS, DARK_GROUNDS):
        shade = readable_on(grounds, colour)
        assert min(Color(shade).contrast(Color(ground)) for ground in grounds) >= 3
        if min(contrast(colour, ground) for ground in grounds) >= LEAST_CONTRAST:
            assert shade == colour
        before, after = Color(colour).convert("oklch"), Color(shade).convert("oklch")
        if before["chroma"] > 0.05 and after["chroma"] > 0.05:
            turned = abs((before["hue"] - after["hue"] + 180) % 360 - 180)
            assert turned < 12


@given(st.lists(st.none() | colours, min_size=2, max_size=50))
def test_named_colours_stay_and_the_others_differ_from_them(named):
    chosen = colours_of(named)
    assert len(set(chosen)) == len(chosen) == len(named)
    assert all(name is None or name in named[:place] or chosen[place] == name for place, name in enumerate(named))
    assert colours_of(chosen) == chosen


def test_a_colour_that_two_frames_have_counts_once():
    assert colours_of(["#AA0000", "#aa0000", None])[0] == "#aa0000"
    assert len(set(colours_of(["#aa0000"] * 12))) == 12
    assert colours_of([None] * 3) == tuple(shades.on_light for shades in PALETTE[:3])


def test_colours_that_a_theme_would_make_alike_stay_apart():
    shades = shades_of(("#000000", "#050505", "#0a0a0a"))
    assert len({shade.on_dark for shade in shades}) == 3
    assert all(difference(*pair, None) > 2 for pair in combinations([shade.on_dark for shade in shades], 2))


def weather(*named: str | None) -> Codebook:
    frames = tuple(Frame(f"f{n}", f"Frame {n}", "d", colour=colour) for n, colour in enumerate(named))
    return Codebook("Weather", 1, frames)


def test_a_codebook_without_colours_draws_each_frame_in_its_own(tmp_path):
    codebook = weather(*[None] * 12)
    assert len(set(codebook.colours.values())) == 12
    sheet = styles(list(codebook.colours.values()))
    drawn = re.findall(r"\.frame-\d+\{--frame:light-dark\((#\w+),(#\w+)\)\}", sheet)
    assert len(set(drawn)) == 12


def test_no_file_has_a_colour_that_nobody_named(tmp_path, codebook):
    path = tmp_path / "own.toml"
    path.write_text(codebook_to_toml(weather(None, "#aa0000")), encoding="utf-8")
    assert path.read_text(encoding="utf-8").count("colour = ") == 1
    assert read_codebook(path) == weather(None, "#aa0000")
    # Earlier releases wrote this grey for frames without a colour.
    path.write_text(codebook_to_toml(weather("#555555", "#555555")), encoding="utf-8")
    assert [frame.colour for frame in read_codebook(path).frames] == [None, None]
    assert list(codebook.colours.values()) == [frame.colour for frame in codebook.frames]


def test_two_frames_of_a_codebook_with_the_same_colour_are_drawn_apart():
    twice = replace(weather("#c2410c", "#c2410c", "#1d6fb8"))
    first, second, third = twice.colours.values()
    assert (first, third) == ("#c2410c", "#1d6fb8")
    assert min(difference(second, other, None) for other in (first, third)) > 10
