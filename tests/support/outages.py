"""PostgreSQL crashes and restarts again and again under all the work that a server does.

Clients write annotations, classify articles, and train and promote models; the process of the server must survive.
"""

import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import httpx2

from service.store import training_runs
from tests.support.articles import TWO_PARAGRAPHS
from tests.support.corpus import write_part_of_the_corpus
from tests.support.crew import Crew
from tests.support.ledger import Figures, Insistent, Ledger, Progress, Writers, silent
from tests.support.postgresql import Cluster, postgresql
from tests.support.servers import product, running

_CLASSIFY_EVERY = 0.1
_RETRY_SECONDS = 0.2


class _Reader(Crew):
    """A client that classifies at a steady rate, whatever the database does."""

    def __init__(self, address: str) -> None:
        super().__init__(1)
        self.times: list[float] = []
        self.failed = 0
        self._address = address

    def work(self, _number: int) -> None:
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while not self.stop.wait(_CLASSIFY_EVERY):
                began = time.perf_counter()
                self.failed += client.post("/v1/classify", json={"text": TWO_PARAGRAPHS}).status_code != 200
                self.times.append(time.perf_counter() - began)


class _Trainer(Insistent):
    """A client that trains and promotes models, each as soon as the previous model is champion."""

    def __init__(self, address: str) -> None:
        super().__init__(1, address)
        self.promoted: list[str] = []
        self.failed = 0

    def work(self, _number: int) -> None:
        with httpx2.Client(timeout=60) as client:
            while not self.stop.is_set():
                run = self.insist(client, "POST", "/v1/training-runs", {}, key=f"run{time.monotonic_ns()}")
                while run is not None and run["state"] not in training_runs.ENDED:
                    self.stop.wait(_RETRY_SECONDS)
                    run = self.insist(client, "GET", f"/v1/training-runs/{run['id']}")
                if run is None:
                    return
                if run["state"] != "succeeded":
                    self.failed += 1
                    continue
                path, body = f"/v1/models/{run['version']}/promote", {"reason": "newer", "force": True}
                if self.insist(client, "POST", path, body) is not None:
                    self.promoted.append(run["version"])


def restart_postgresql(folder: Path, annotations: int, most_up: float = 20.0, progress: Progress = silent) -> Figures:
    """Restarts PostgreSQL until `annotations` annotations are acknowledged.

    It runs for `most_up` / 4 to `most_up` seconds and is then away for up to `most_up` / 4. Training runs use a part of
    the shipped corpus.
    """
    chance, ledger, restarts = random.Random(1), Ledger(), 0
    with ExitStack() as stack:
        cluster: Cluster = stack.enter_context(postgresql())
        settings = {
            "database_url": cluster.url.format(name="postgres"),
            "corpus": str(write_part_of_the_corpus(folder)),
        }
        server = stack.enter_context(running(product(folder, worker="true", worker_yields="false", **settings)))
        address = server.address
        with Writers(ledger, "p", address), _Reader(address) as reader, _Trainer(address) as trainer:
            while len(ledger.annotations) < annotations:
                time.sleep(chance.uniform(most_up / 4, most_up))
                cluster.stop()
                time.sleep(chance.uniform(0, most_up / 4))
                cluster.start()
                restarts += 1
                progress(min(1.0, len(ledger.annotations) / annotations))
        ended = server.process.poll() is not None
        with httpx2.Client(base_url=address, timeout=60) as client:
            figures = ledger.check(client)
            promotions = client.get("/v1/models/history").json()["promotions"]
    history = Counter(promotion["version"] for promotion in promotions)
    times = sorted(reader.times)
    return {
        "restarts": restarts,
        **figures,
        "classified during that time": len(times),
        "of these failed": reader.failed,
        "p99 in ms": round(times[int(len(times) * 0.99)] * 1000),
        "models trained and promoted": len(trainer.promoted),
        "of these not in the history exactly once": sum(history[version] != 1 for version in trainer.promoted),
        "training runs failed": trainer.failed,
        "server processes ended": int(ended),
    }
