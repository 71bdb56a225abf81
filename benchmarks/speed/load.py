"""Puts load on an address from a separate process: at a steady rate, or as fast as the connections carry it.

python -m benchmarks.speed.load http://127.0.0.1:8000/v1/classify bodies.jsonl --connections 8 --seconds 4
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from benchmarks.documents import arguments
from benchmarks.speed.timing import percentile


@dataclass(frozen=True, slots=True)
class Load:
    """Answers per second; median and 99th percentile of the time to an answer, in milliseconds."""

    per_second: float
    p50: float
    p99: float


async def send(url: str, bodies: list[bytes], connections: int, seconds: float, rate: float | None) -> Load:
    """Sends the bodies in turn; each connection waits for an answer before it sends the next.

    With a rate, each request is due at a fixed moment, and the time that it waits for a free connection counts. Raises
    `RuntimeError` if an answer is not a success.
    """
    address = urlsplit(url)
    head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    requests = cycle([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies])
    start = time.perf_counter() + 0.05
    due = _due(start, seconds, rate)
    times: list[float] = []

    async def work() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**22)
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
            times.append(1000 * (time.perf_counter() - began))
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    elapsed = time.perf_counter() - start
    return Load(len(times) / elapsed, percentile(times, 0.5), percentile(times, 0.99))


def _due(start: float, seconds: float, rate: float | None) -> Iterator[float]:
    """Yields the moment at which the next request is due: now if there is no rate, until the time is over."""
    number = 0
    while True:
        moment = start + number / rate if rate else time.perf_counter()
        if moment > start + seconds:
            return
        number += 1
        yield moment


def main() -> None:
    """Prints the load that was carried, as JSON."""
    parser = arguments(__doc__, "benchmarks.speed.load http://127.0.0.1:8000/v1/classify bodies.jsonl --rate 50")
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path, help="request bodies, as JSON Lines")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rate", type=float, help="requests per second; without it, as many as possible")
    options = parser.parse_args()
    bodies = options.bodies.read_bytes().splitlines()
    load = uvloop.run(send(options.url, bodies, options.connections, options.seconds, options.rate))
    print(json.dumps(asdict(load)))


if __name__ == "__main__":
    main()
