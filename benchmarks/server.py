"""A server of one's own to measure, on loopback and an empty folder."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[1]


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Starts a server on a data folder; returns its process and address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {"FRAMING_DATA_DIR": str(folder), "FRAMING_PORT": str(port), "FRAMING_LOG_LEVEL": "warning"}
    server = subprocess.Popen([sys.executable, "-m", "service.cli", "serve"], cwd=ROOT, env={**os.environ, **variables})
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx2.get(f"{address}/livez")
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            break
    return server, address
