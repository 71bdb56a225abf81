"""Takes a picture of every page, light, dark and narrow: of the demonstration, an empty store and a large codebook.

python -m tests.support.screenshots screenshots
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from labels.annotations import DEFAULT_CORPUS
from labels.codebook import read_codebook
from tests.support.articles import TWO_PARAGRAPHS
from tests.support.browser import chromium
from tests.support.servers import PROGRAM, environment, running_server
from tests.support.waiting import wait_until

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
LONG = "A long paragraph about the harbour, its cranes and its weather. " * 60
TEXT = (
    f"{TWO_PARAGRAPHS}\n\n"
    "Troops launched a clearance operation in the valley and killed eleven militants, the army announced.\n\n"
    "MORE ON THIS STORY\n\nThe market reopened on Monday and the road to the coast was cleared of snow by noon."
)


def take(browser: Browser, base: str, folder: Path, pages: dict[str, str]) -> None:
    for look, options in LOOKS.items():
        context = browser.new_context(base_url=base, **options)
        page = context.new_page()
        for name, address in pages.items():
            page.goto(address)
            settle(page)
            page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
            print(f"{name}-{look}", flush=True)
        page.goto("/classify")
        page.fill("textarea", TEXT + ("\n\n" + LONG if look == "dark" else ""))
        page.click("button.primary")
        page.screenshot(path=folder / f"{folder.name}-classified-{look}.png", full_page=True)
        page.goto("/classify")
        page.click("button.primary")
        page.screenshot(path=folder / f"{folder.name}-refused-{look}.png", full_page=True)
        context.close()


def settle(page: Page) -> None:
    page.wait_for_load_state("load")
    charts = page.locator(".chart").count()
    wait_until(lambda: page.locator(".chart[data-drawn]").count() == charts, "the charts")


def framing(data: Path, *arguments: str, **variables: str) -> None:
    variables = environment(data_dir=data, **variables)
    subprocess.run(
        [*PROGRAM, *arguments], check=True, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        demonstration(browser, folder / "demo", Path(place) / "demo")
        empty(browser, folder / "empty", Path(place) / "empty")
        crowded(browser, folder / "fifty-frames", Path(place) / "fifty")


def demonstration(browser: Browser, folder: Path, data: Path) -> None:
    framing(data, "train")
    framing(data, "demo")
    with running_server(data, worker="true") as (client, _):
        run = client.get("/v1/training-runs").json()["training_runs"][0]["id"]
        with client.stream("GET", f"/v1/training-runs/{run}/events", timeout=120) as events:
            for _event in events.iter_lines():
                pass  # until the run has ended
        articles = client.get("/v1/articles?limit=200").json()["articles"]
        longest = max(articles, key=lambda a: sum(f["paragraphs"] for f in a["article"]["frames"].values()))
        coded = client.get("/v1/annotations?limit=1").json()["annotations"][0]["article_id"]
        pages = {
            "dashboard": "/",
            "dashboard-raw": "/?shares=raw&period=month",
            "articles": "/articles",
            "articles-none": "/articles?q=zeppelin",
            "article": f"/articles/{longest['id']}",
            "article-coded": f"/articles/{coded}",
            "coding-name": "/coding",
            "coding": "/coding?coder=mira",
            "models": "/models",
            "codebook": "/codebook",
            "error": "/articles/" + "0" * 32,
        }
        folder.mkdir(parents=True, exist_ok=True)
        take(browser, str(client.base_url), folder, pages)


def empty(browser: Browser, folder: Path, data: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    framing(data, "train")
    pages = {"dashboard": "/", "articles": "/articles", "coding": "/coding?coder=mira", "models": "/models"}
    with running_server(data) as (client, _):
        take(browser, str(client.base_url), folder, pages)


def crowded(browser: Browser, folder: Path, data: Path) -> None:
    """Fifty frames with long titles."""
    folder.mkdir(parents=True, exist_ok=True)
    data.mkdir(parents=True)
    corpus, codebook = fifty_frames(data)
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
        pages = {
            "dashboard": "/",
            "article": f"/articles/{first}",
            "coding": "/coding?coder=mira",
            "models": "/models",
            "codebook": "/codebook",
        }
        take(browser, str(client.base_url), folder, pages)


def fifty_frames(data: Path) -> tuple[Path, Path]:
    """Writes a corpus and a codebook of fifty frames, which are copies of the four under other names."""
    frames = read_codebook().frames
    lines = ['name = "Fifty frames"', "version = 1"]
    copies: dict[str, list[str]] = {frame.key: [] for frame in frames}
    for number in range(50):
        frame = frames[number % len(frames)]
        copies[frame.key].append(f"frame_{number}")
        hue = f"#{(number * 5) % 256:02x}{(90 + number * 37) % 200:02x}{(200 - number * 3) % 256:02x}"
        title = f"{frame.title} in variant number {number}"
        lines += ["[[frames]]", f'key = "frame_{number}"', f"title = {json.dumps(title)}", f'colour = "{hue}"']
        lines.append(f"definition = {json.dumps(frame.definition)}")
    codebook = data / "codebook.toml"
    codebook.write_text("\n".join(lines), encoding="utf-8")
    corpus = data / "corpus.jsonl"
    rows = []
    for path in sorted(DEFAULT_CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for annotation in row["annotations"]:
                names = (copy for frame in annotation["frames"] for copy in copies[frame])
                annotation["frames"] = dict.fromkeys(names, "present")
            # Two sources: a training leaves out each source in turn, for each of the fifty frames.
            row["source"] = f"source {len(row['article']) % 2}"
            rows.append(row)
    chosen = set(sorted({row["article"] for row in rows})[::20])  # enough to train fifty frames, and quickly
    lines = [json.dumps(row, ensure_ascii=False) for row in rows if row["article"] in chosen]
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return corpus, codebook


if __name__ == "__main__":
    main(Path(sys.argv[1]))
