"""The charts of the pages and the bundle of Vega that draws them: files, made once per codebook and version."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labels.codebook import Codebook, codebook_to_toml
from service.errors import ChartsError
from service.metrics import product_version
from service.processes import command_line

_log = logging.getLogger("framing")

BUNDLE, CHARTS = "vega.js", "charts.json"
_MAX_SECONDS = 60


class ChartFiles:
    """The Vega bundle and the charts of a codebook, in a folder of the cache.

    Where they are missing, another process makes them, so that no server loads Altair and the engine of Vega.
    """

    def __init__(self, codebook: Codebook, cache: Path) -> None:
        self._codebook = codebook
        versions = [version("vl-convert-python"), version("altair"), product_version(), _own_code()]
        content = json.dumps([*versions, *codebook.colours.values()])
        digest = hashlib.sha256((content + codebook_to_toml(codebook)).encode()).hexdigest()[:16]
        self._folder = cache / f"charts-{digest}"
        self._making = threading.Lock()

    def make_soon(self) -> None:
        """Begins to make the files while the page that needs them is on its way."""
        if not self._folder.exists():
            threading.Thread(target=self._make_and_log, name="charts", daemon=True).start()

    def _make_and_log(self) -> None:
        try:
            self._make()
        except ChartsError as error:
            _log.error("%s", error)

    def bundle(self) -> Path:
        """The path of the Vega bundle; raises `ChartsError`."""
        self._make()
        return self._folder / BUNDLE

    def chart(self, name: str) -> Any:
        """A chart as a Vega-Lite specification; None if none has that name. Raises `ChartsError`."""
        self._make()
        return json.loads((self._folder / CHARTS).read_text(encoding="utf-8")).get(name)

    def _make(self) -> None:
        with self._making:
            if self._folder.exists():
                return
            building = self._folder.with_name(f"{self._folder.name}.{os.getpid()}")
            building.mkdir(parents=True, exist_ok=True)
            codebook = building / "codebook.toml"
            codebook.write_text(codebook_to_toml(self._codebook), encoding="utf-8")
            try:
                command = command_line("service.pages.charts", str(codebook), str(building))
                process = subprocess.run(  # noqa: S603 - this very program
                    command, capture_output=True, text=True, timeout=_MAX_SECONDS, check=False
                )
                if process.returncode:
                    raise ChartsError(f"The charts could not be made: {process.stderr.strip().splitlines()[-1:]}")
                if not self._folder.exists():
                    building.replace(self._folder)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ChartsError(f"The charts could not be made: {error}.") from error
            finally:
                shutil.rmtree(building, ignore_errors=True)


def _own_code() -> str:
    modules = (Path(__file__).with_name(name) for name in ("charts.py", "palette.py"))
    return hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()
