"""Takes a picture of every page at three widths, in both themes, and as it is printed.

python -m tests.support.screenshots FOLDER [demo] [empty] [no-model] [twelve-frames]

`demo` is the demonstration, `empty` a store without articles, `twelve-frames` a codebook of twelve frames with long
names. FOLDER/index.html shows all pictures side by side.
"""

import html
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, Page

from labels.annotations import DEFAULT_CORPUS
from labels.codebook import read_codebook
from service.pages.render import TABS
from tests.support.articles import TWO_PARAGRAPHS
from tests.support.browser import chromium
from tests.support.servers import PROGRAM, environment, running_server
from tests.support.waiting import wait_until

LOOKS: Mapping[str, dict[str, Any]] = {
    f"{width}-{theme}": {"color_scheme": theme, "viewport": {"width": width, "height": height}}
    for width, height in ((1440, 900), (1024, 768), (390, 844))
    for theme in ("light", "dark")
}
# A4 at 96 dots per inch, without its margins.
PAPER = {"width": 690, "height": 1000}
# The first page with charts waits until their files have been made.
_PATIENCE_MS = 120_000
PRINTED = ("dashboard", "article", "codebook", "models")
LONG = "A long paragraph about the harbour, its cranes and its weather. " * 60
TEXT = (
    f"{TWO_PARAGRAPHS}\n\n"
    "Troops launched a clearance operation in the valley and killed eleven militants, the army announced.\n\n"
    "MORE ON THIS STORY\n\nThe market reopened on Monday and the road to the coast was cleared of snow by noon."
)
EVERYWHERE = {
    "dashboard": "/",
    "articles": "/articles",
    "try-it": "/classify",
    "coding-name": "/coding",
    "coding": "/coding?coder=mira",
    "models": "/models",
    "codebook": "/codebook",
    "log": "/audit",
    "sign-in": "/sign-in",
    **{address.strip("/").replace("/", "-"): address for tabs in TABS.values() for address, _, _ in tabs[1:]},
}


def take(browser: Browser, base: str, folder: Path, pages: Mapping[str, str]) -> None:
    """Takes pictures of these pages, and of the answers of the page on which a text is pasted."""
    folder.mkdir(parents=True, exist_ok=True)
    for look, options in LOOKS.items():
        context = browser.new_context(base_url=base, **options)
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        for name, address in pages.items():
            _picture(page, address, folder / f"{name}-{look}.png")
        _picture(page, "/classify", folder / f"classified-{look}.png", lambda p=page: paste(p, TEXT))  # type: ignore[misc]
        _picture(page, "/classify", folder / f"refused-{look}.png", lambda p=page: paste(p, ""))  # type: ignore[misc]
        context.close()
    context = browser.new_context(base_url=base, viewport=PAPER, color_scheme="dark")  # type: ignore[arg-type]
    page = context.new_page()
    page.emulate_media(media="print")
    for name in PRINTED:
        if name in pages:
            _picture(page, pages[name], folder / f"{name}-print.png")
    context.close()


def _picture(page: Page, address: str, path: Path, then: Callable[[], object] = lambda: None) -> None:
    page.goto(address)
    then()
    settle(page)
    page.screenshot(path=path, full_page=True)
    print(f"{path.parent.name}/{path.stem}", flush=True)


def paste(page: Page, text: str) -> None:
    page.fill("textarea", text)
    with page.expect_navigation():
        page.click("button.primary")


def settle(page: Page) -> None:
    page.wait_for_load_state("load")
    charts = page.locator(".chart").count()
    wait_until(lambda: page.locator(".chart[data-drawn]").count() == charts, "the charts")
    wait_until(lambda: not page.get_by_text("Loading…", exact=True).filter(visible=True).count(), "what is loading")


def framing(data: Path, *arguments: str, **variables: str) -> None:
    variables = environment(data_dir=data, **variables)
    subprocess.run(
        [*PROGRAM, *arguments], check=True, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def write_gallery(folder: Path) -> None:
    """Writes index.html: a row for each page, a column for each look."""
    rows = []
    for stock in sorted(path for path in folder.iterdir() if path.is_dir()):
        names = dict.fromkeys(path.stem.rsplit("-", 2)[0] for path in sorted(stock.glob("*-*-*.png")))
        for name in names:
            pictures = [f"{stock.name}/{name}-{look}.png" for look in LOOKS]
            cells = "".join(
                f'<td><a href="{html.escape(p)}"><img loading="lazy" src="{html.escape(p)}"></a></td>' for p in pictures
            )
            rows.append(f"<tr><th>{html.escape(stock.name)}<br>{html.escape(name)}</th>{cells}</tr>")
    head = "".join(f"<th>{look}</th>" for look in LOOKS)
    style = "body{font:14px sans-serif}img{max-width:100%;border:1px solid #999}td,th{vertical-align:top}"
    (folder / "index.html").write_text(
        f"<!doctype html><meta charset=utf-8><title>Pages</title><style>{style}</style>"
        f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>",
        encoding="utf-8",
    )


@contextmanager
def demonstration(data: Path) -> Iterator[tuple[httpx2.Client, Mapping[str, str]]]:
    framing(data, "train")
    framing(data, "demo")
    with running_server(data, worker="true") as (client, _):
        run = client.get("/v1/training-runs").json()["training_runs"][0]["id"]
        with client.stream("GET", f"/v1/training-runs/{run}/events", timeout=300) as events:
            for _event in events.iter_lines():
                pass  # until the run has ended
        articles = client.get("/v1/articles?limit=200").json()["articles"]
        longest = max(articles, key=lambda a: sum(f["paragraphs"] for f in a["article"]["frames"].values()))
        coded = client.get("/v1/annotations?limit=1").json()["annotations"][0]["article_id"]
        yield (
            client,
            {
                "dashboard-raw": "/?shares=raw&period=month",
                "dashboard-single-frame": "/?frame=foreign_hand&unit=article",
                "dashboard-nothing": "/?from=1999-01-01&to=1999-02-01",
                "dashboard-backwards": "/?from=2026-06-01&to=2026-01-01",
                "articles-none": "/articles?q=zeppelin",
                "article": f"/articles/{longest['id']}",
                "article-coded": f"/articles/{coded}",
                "missing": "/articles/" + "0" * 32,
                "not-valid": "/?period=aeon&shares=none",
            },
        )


@contextmanager
def empty(data: Path) -> Iterator[tuple[httpx2.Client, Mapping[str, str]]]:
    framing(data, "train")
    with running_server(data) as (client, _):
        yield client, {}


@contextmanager
def without_model(data: Path) -> Iterator[tuple[httpx2.Client, Mapping[str, str]]]:
    data.mkdir()
    with running_server(data) as (client, _):
        yield client, {"missing": "/nowhere"}


@contextmanager
def twelve_frames(data: Path) -> Iterator[tuple[httpx2.Client, Mapping[str, str]]]:
    data.mkdir(parents=True)
    corpus, codebook = large_codebook(data, 12)
    more = {"codebook": str(codebook), "corpus": str(corpus)}
    framing(data, "train", **more)
    with running_server(data, **more) as (client, _):
        for number in range(30):
            body = {
                "text": f"{TEXT}\n\n{LONG[: 200 + number * 20]}",
                "title": f"A very long headline that shows where headlines are broken into lines, number {number}",
                "outlet": f"The Outlet With A Rather Long Name {number % 7}",
                "published_at": f"2026-0{number % 9 + 1}-11",
            }
            client.post("/v1/articles", json=body).raise_for_status()
        first = client.get("/v1/articles").json()["articles"][0]["id"]
        yield client, {"article": f"/articles/{first}", "dashboard-raw": "/?shares=raw&period=month"}


STOCKS = {"demo": demonstration, "empty": empty, "no-model": without_model, "twelve-frames": twelve_frames}


def main(folder: Path, *names: str) -> None:
    for name in names or STOCKS:
        with (
            tempfile.TemporaryDirectory() as place,
            STOCKS[name](Path(place) / "data") as (client, own),
            chromium() as browser,
        ):
            take(browser, str(client.base_url), folder / name, {**EVERYWHERE, **own})
    write_gallery(folder)


def large_codebook(folder: Path, number_of_frames: int) -> tuple[Path, Path]:
    """Writes a corpus and a codebook of so many frames, which are copies of the four under long names.

    Every other frame has a colour of its own; the others get theirs by position.
    """
    frames = read_codebook().frames
    lines = [f'name = "A codebook of {number_of_frames} frames"', "version = 1"]
    copies: dict[str, list[str]] = {frame.key: [] for frame in frames}
    for number in range(number_of_frames):
        frame = frames[number % len(frames)]
        copies[frame.key].append(f"frame_{number}")
        hue = f"#{(number * 5) % 256:02x}{(90 + number * 37) % 200:02x}{(200 - number * 3) % 256:02x}"
        title = f"{frame.title} in variant number {number}"
        lines += ["[[frames]]", f'key = "frame_{number}"', f"title = {json.dumps(title)}"]
        lines += [f'colour = "{hue}"'] if number % 2 else []
        lines.append(f"definition = {json.dumps(frame.definition)}")
    codebook = folder / "codebook.toml"
    codebook.write_text("\n".join(lines), encoding="utf-8")
    corpus = folder / "corpus.jsonl"
    rows = []
    for path in sorted(DEFAULT_CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for annotation in row["annotations"]:
                names = (copy for frame in annotation["frames"] for copy in copies[frame])
                annotation["frames"] = dict.fromkeys(names, "present")
            # Two sources: a training leaves out each source in turn, for each frame.
            row["source"] = f"source {len(row['article']) % 2}"
            rows.append(row)
    chosen = set(sorted({row["article"] for row in rows})[::20])  # enough to train many frames, and quickly
    lines = [json.dumps(row, ensure_ascii=False) for row in rows if row["article"] in chosen]
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return corpus, codebook


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
