"""Load on one address from a process of its own: as much as so many connections carry, or at a steady rate.

python -m benchmarks.load http://127.0.0.1:8000/v1/classify bodies.jsonl --connections 8 --seconds 4 --json
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import uvloop


@dataclass(frozen=True, slots=True)
class Load:
    """Answers a second; median and 99th percentile of the time to an answer, in milliseconds."""

    per_second: float
    p50: float
    p99: float


async def send(url: str, bodies: list[bytes], connections: int, seconds: float, rate: float | None) -> Load:
    """Sends the bodies in turn and waits for each answer; raises `RuntimeError` for one that is no success.

    With a rate, requests have a time at which they are due, and waiting for a free connection counts.
    """
    where = urlsplit(url)
    head = f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
    requests = cycle([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies])
    start = time.perf_counter() + 0.05
    due = _due(start, seconds, rate)
    times: list[float] = []

    async def work() -> None:
        reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=2**22)
        for moment in due:
            if moment > time.perf_counter():
                await asyncio.sleep(moment - time.perf_counter())
            began = moment if rate else time.perf_counter()
            writer.write(next(requests))
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            content = await reader.readexactly(length)
            if not answer.startswith(b"HTTP/1.1 2"):
                raise RuntimeError(f"{answer.decode()}{content[:500].decode()}")
            times.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    elapsed = time.perf_counter() - start
    times.sort()
    return Load(len(times) / elapsed, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000)


def _due(start: float, seconds: float, rate: float | None) -> Iterator[float]:
    """When the next request is due; without a rate at once, until the time is over."""
    number = 0
    while True:
        moment = start + number / rate if rate else time.perf_counter()
        if moment > start + seconds:
            return
        number += 1
        yield moment


def main() -> None:
    """Prints what one load found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path, help="JSON Lines, a body a line")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rate", type=float, help="requests a second; else as many as go")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    bodies = asked.bodies.read_bytes().splitlines()
    found = uvloop.run(send(asked.url, bodies, asked.connections, asked.seconds, asked.rate))
    if asked.json:
        print(json.dumps(asdict(found)))
    else:
        print(f"{found.per_second:.0f} a second, p50 {found.p50:.2f} ms, p99 {found.p99:.2f} ms")


if __name__ == "__main__":
    main()
