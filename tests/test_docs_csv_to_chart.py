"""docs/csv-to-chart.md is true: its commands are run as they stand, on its table, and print what the page says."""

import csv
import html
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.support.paths import ROOT
from tests.support.servers import PORT, Command, environment, running

PAGE = (ROOT / "docs" / "csv-to-chart.md").read_text(encoding="utf-8")
# In the order of the page: commands, the table, and what the commands before it print.
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@dataclass
class Reader:
    """Somebody who follows the page in a terminal; `servers` run until the end."""

    folder: Path
    servers: ExitStack
    variables: dict[str, str]
    printed: str = ""
    compared: int = 0
    address: str = field(default="", init=False)

    def follow(self, kind, block):
        if kind == "csv":
            (self.folder / "articles.csv").write_text(block, encoding="utf-8")
        elif kind == "text":
            assert self.printed == block
            self.compared += 1
        elif block == "framing serve\n":
            variables = {**self.variables, "FRAMING_PORT": PORT}
            server = self.servers.enter_context(running(Command(block.split(), "/readyz", variables, self.folder)))
            self.address = self.variables["API"] = server.address
        else:
            self.type(block)

    def type(self, commands):
        shell = ["bash", "-euo", "pipefail", "-c", f"{commands}pwd"]
        done = subprocess.run(
            shell, cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{commands}{done.stdout}{done.stderr}"
        *lines, folder = done.stdout.splitlines(keepends=True)
        self.folder, self.printed = Path(folder.rstrip("\n")), "".join(lines)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader at the end of the page, with the fastest of the shipped models."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**environment(kind="words", start="base", log_level="warning"), "PATH": programs}
    with ExitStack() as servers:
        reader = Reader(tmp_path_factory.mktemp("terminal"), servers, variables)
        for kind, block in BLOCKS:
            reader.follow(kind, block)
        yield reader


@pytest.fixture(scope="module")
def shares(reader):
    with (reader.folder / "shares.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_commands_print_what_the_page_says(reader):
    assert reader.compared == sum(kind == "text" for kind, _ in BLOCKS) == 3
    assert {kind for kind, _ in BLOCKS} == {"sh", "csv", "text"}


def test_the_shares_are_raw_and_foreign_hand_rises_from_none(shares):
    by_month = [float(row["raw_share"]) for row in shares if row["frame"] == "foreign_hand"]
    assert by_month[0] == 0 < by_month[1] < by_month[2]
    assert {(row["corrected_share"], row["correction"]) for row in shares} == {("", "too_few_annotations")}


def test_the_dashboard_draws_the_same_shares(reader, shares):
    with httpx2.Client(base_url=reader.address, timeout=30) as client:
        page = client.get("/", params={"period": "month"}).text
        [source] = re.findall(r'data-chart="prevalence" data-source="([^"]*)"', page)
        drawn = client.get(html.unescape(source)).json()["rows"]
    assert [(row["period"], row["frame"], row["raw_share"]) for row in drawn] == [
        (row["period"], row["frame"], float(row["raw_share"])) for row in shares
    ]


def test_what_is_stored_has_the_fields_of_the_table(reader):
    with httpx2.Client(base_url=reader.address, timeout=30) as client:
        stored = client.get("/v1/articles").json()["articles"]
    assert {(a["external_id"], a["outlet"], a["title"], a["published_at"][:10]) for a in stored} >= {
        ("1", "Courier", "Gunmen stop a bus", "2026-01-08"),
        ("8", "Harbour Post", "Paid from abroad", "2026-03-20"),
    }


def test_the_chart_shows_every_frame_and_month(reader, shares):
    drawn = (reader.folder / "shares.svg").read_text(encoding="utf-8")
    assert {row["frame"] for row in shares} <= set(re.findall(r">(\w+)</text>", drawn))
    for month in ("Jan 2026", "Feb 2026", "Mar 2026"):
        assert month in drawn
