"""The runtime of encoders reports to nobody, and uses the cores that its container may."""

import ast
import os
import subprocess
import sys

import pytest

from tests.support.house import python_files
from tests.support.paths import ROOT
from tests.support.servers import environment
from training.encoder import runtime

_ENCODE = """
import sys
events, watched = [], ("socket.", "urllib.", "os.fork", "os.posix_spawn")  # reports are sent by a process of their own
sys.addaudithook(lambda event, args: events.append(event) if event.startswith(watched) else None)
import numpy as np
from tests.support.tiny_encoder import tiny_weights
from training.encoder.graph import CompiledEncoder, relative_bias
weights = tiny_weights()
vectors = np.ones((5, weights.width), np.float32)
CompiledEncoder(weights).run(vectors, relative_bias(weights, 5))
import threading
print(events, sys.modules.get("openvino_telemetry"), sys.modules.get("openvino.tools.ovc"), threading.active_count())
"""


def test_an_encoder_opens_no_connection_and_leaves_no_trace_in_the_home_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _ENCODE],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**environment(), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "[] None None 1\n"
    assert list(tmp_path.iterdir()) == []


def test_openvino_is_imported_by_a_single_function():
    importers = {
        f"{path.relative_to(ROOT)}"
        for path in python_files("labels", "training", "service", "benchmarks")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(name.name.startswith("openvino") for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("openvino"))
    }
    assert importers == {"training/encoder/runtime.py"}


@pytest.mark.parametrize(
    ("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("20000 100000", 1), ("max 100000", 8), (None, 8)]
)
def test_a_container_with_a_quota_has_as_many_cores_as_that(quota, cores, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)))
    monkeypatch.setattr(runtime, "_QUOTA", tmp_path / "cpu.max")
    if quota:
        (tmp_path / "cpu.max").write_text(f"{quota}\n", encoding="ascii")
    assert runtime.available_cores() == cores
