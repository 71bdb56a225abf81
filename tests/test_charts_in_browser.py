"""Charts as people use them: brought out, read with the keyboard, saved for paper, in both themes."""

import base64
import re

import pytest

from tests.support.browser import needs_chromium
from tests.support.screenshots import settle

pytestmark = needs_chromium

# The colours of the canvas of a chart that are not grey, with the number of pixels that have them.
PIXELS = """figure => {
  const canvas = figure.querySelector("canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const counts = {};
  for (let n = 0; n < data.length; n += 4) {
    if (data[n + 3] < 255) continue;
    const colour = `rgb(${data[n]}, ${data[n + 1]}, ${data[n + 2]})`;
    counts[colour] = (counts[colour] || 0) + 1;
  }
  return counts;
}"""
FRAME_COLOURS = """figure => {
  const symbols = [...figure.querySelectorAll(".chart-legend button path")];
  return symbols.map((path) => getComputedStyle(path).fill);
}"""


def wait_for(figure, condition):
    """Waits until a JavaScript condition on the element `figure` holds."""
    figure.page.wait_for_function(f"figure => {condition}", arg=figure.element_handle())


def figure_of(page, name):
    return page.locator(f'[data-chart="{name}"]')


def strong(figure):
    """For each frame, the pixels of its chart that are wholly in its colour: faint lines have none."""
    pixels, colours = figure.evaluate(PIXELS), figure.evaluate(FRAME_COLOURS)
    return [pixels.get(colour, 0) for colour in colours]


def test_a_frame_pressed_in_the_legend_is_brought_out_and_let_go(page):
    page.goto("/")
    settle(page)
    for name in ("prevalence", "outlets"):
        figure = figure_of(page, name)
        before = strong(figure)
        assert min(before) > 0
        entry = figure.locator(".chart-legend button").nth(1)
        entry.focus()
        page.keyboard.press("Enter")
        wait_for(figure, "figure.dataset.chosen")
        assert entry.get_attribute("aria-pressed") == "true"
        after = strong(figure)
        assert after[1] >= before[1]
        assert [count for n, count in enumerate(after) if n != 1] == [0, 0, 0]
        entry.click()
        wait_for(figure, "!figure.dataset.chosen")
        assert strong(figure) == before


def test_charts_are_drawn_again_in_the_colours_of_another_theme(page):
    page.goto("/")
    settle(page)
    figure = figure_of(page, "prevalence")
    light = figure.evaluate(FRAME_COLOURS)
    page.emulate_media(color_scheme="dark")
    dark = figure.evaluate(FRAME_COLOURS)
    assert set(light) != set(dark)
    wait_for(figure, f"({PIXELS})(figure)['{dark[-1]}'] > 0")
    assert min(strong(figure)) > 0


def test_the_arrow_keys_lead_from_point_to_point_and_say_each(page, site):
    page.goto("/")
    settle(page)
    figure = figure_of(page, "prevalence")
    answer = site.get(figure.get_attribute("data-source")).json()
    titles = {frame["key"]: frame["title"] for frame in site.get("/v1/codebook").json()["frames"]}
    drawn = [row for row in answer["rows"] if row["corrected_share"] is not None]
    figure.locator(".plot").focus()
    point = figure.locator(".chart-point")
    page.keyboard.press("ArrowRight")
    first = drawn[0]
    assert point.inner_text().startswith(titles[first["frame"]])
    assert (
        f"{first['corrected_share']:.1%} (95% interval {first['low']:.1%} to {first['high']:.1%})" in point.inner_text()
    )
    of_frame = [row for row in drawn if row["frame"] == first["frame"]]
    page.keyboard.press("ArrowRight")
    assert f"{of_frame[1]['corrected_share']:.1%}" in point.inner_text()
    page.keyboard.press("End")
    assert f"{of_frame[-1]['corrected_share']:.1%}" in point.inner_text()
    page.keyboard.press("ArrowDown")
    assert not point.inner_text().startswith(titles[first["frame"]])
    page.keyboard.press("Escape")
    assert point.text_content() == ""
    for name in ("outlets", "stances", "pairs"):
        figure_of(page, name).locator(".plot").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        assert re.search(r"\d%", figure_of(page, name).locator(".chart-point").inner_text())


def saved(page, figure, kind):
    with page.expect_download() as download:
        figure.locator(f"[data-save={kind}]").click()
    return download.value


def texts(svg):
    return " ".join(re.sub(r"<[^>]+>", " ", svg).split())


@pytest.mark.parametrize("shares", ["corrected", "raw"])
def test_pictures_saved_in_the_dark_are_for_paper_and_say_what_they_show(page, site, shares):
    page.emulate_media(color_scheme="dark")
    page.goto(f"/?shares={shares}&period=month&outlet=Valley+Times&from=2020-01-01")
    settle(page)
    model = site.get("/v1/models").json()["champion"]
    for figure in page.locator(".chart").all():
        name = figure.get_attribute("data-chart")
        download = saved(page, figure, "svg")
        svg = download.path().read_text(encoding="utf-8")
        words = texts(svg)
        assert figure.locator("h2").inner_text().split()[0] in words
        assert "From 1 January 2020; outlets: Valley Times." in words
        assert re.search(r"n = [\d,]+ (paragraphs?|frames?|articles?) in ", words)
        assert f"model {model}, codebook version" in words
        assert "Source: Media framing" in words
        corrected = shares == "corrected" and name in ("prevalence", "outlets")
        assert ("with 95% intervals" in words) == corrected
        assert corrected or "not corrected" in words
        assert re.search(r'<rect width="\d+" height="\d+" fill="#ffffff"', svg)
        assert "rgb(230, 234, 237)" not in svg  # the ink of the dark theme
    first = figure_of(page, "prevalence")
    encoded = base64.b64encode(saved(page, first, "png").path().read_bytes()).decode()
    corner = page.evaluate(
        """async (encoded) => {
          const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
          const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
          const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
          canvas.drawImage(image, 0, 0);
          return [image.width, ...canvas.getImageData(0, 0, 1, 1).data];
        }""",
        encoded,
    )
    assert corner[0] >= 1500
    assert corner[1:] == [255, 255, 255, 255]


def test_the_files_of_charts_are_named_after_the_chart_and_its_filters(page):
    page.goto("/?shares=raw&period=month&outlet=Valley+Times")
    settle(page)
    names = set()
    for figure in page.locator(".chart").all():
        files = {kind: saved(page, figure, kind).suggested_filename for kind in ("png", "svg")}
        with page.expect_download() as download:
            figure.locator("a[download$=csv], [data-save=csv]").click()
        files["csv"] = download.value.suggested_filename
        stems = {name.rpartition(".")[0] for name in files.values()}
        assert len(stems) == 1
        assert {name.rpartition(".")[2] for name in files.values()} == {"png", "svg", "csv"}
        names |= stems
        chart = figure.get_attribute("data-chart")
        assert re.match(rf"{chart}_(.*_)?valley-times", *stems)
    assert len(names) == 4
    assert "prevalence_by-month_valley-times_raw" in names


def test_four_frames_get_a_panel_each_on_demand(page, site):
    page.goto("/")
    settle(page)
    figure = figure_of(page, "prevalence")
    wide = figure.locator("canvas").bounding_box()
    figure.locator("[data-panels]").click()
    wait_for(figure, "figure.querySelector('[data-panels]').getAttribute('aria-pressed') === 'true'")
    assert figure.locator(".chart-legend button").count() == 0
    assert figure.get_attribute("data-drawn") == "true"
    svg = saved(page, figure, "svg").path().read_text(encoding="utf-8")
    titles = [frame["title"] for frame in site.get("/v1/codebook").json()["frames"]]
    assert all(title in texts(svg) for title in titles)
    page.set_viewport_size({"width": 390, "height": 844})
    wait_for(figure, f"figure.querySelector('canvas').clientWidth < {wide['width'] / 2}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    figure.locator("[data-panels]").click()
    wait_for(figure, "figure.querySelectorAll('.chart-legend button').length === 4")
