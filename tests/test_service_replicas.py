"""Several servers, hosts and workers that share a PostgreSQL and a place of models."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.support.articles import THREE_PARAGRAPHS
from tests.support.servers import running_server
from tests.support.waiting import wait_until
from training.registry.storage import storage_at
from training.registry.versions import Registry

pytestmark = pytest.mark.databases("postgresql")
_SOON = 5.0


@pytest.fixture
def models_url(s3, trained_folder):
    from tests.support.s3 import new_bucket

    url = new_bucket()
    for path in storage_at(trained_folder).files("."):
        storage_at(url).write(path, storage_at(trained_folder).read(path))
    return url


@pytest.fixture
def hosts(models_url, database_url, postgresql_server, tmp_path):
    """Clients of two hosts that share no folder; both begin at once on a database without tables."""
    from tests.support.postgresql import administer

    name = re.search(r"test_\w+", database_url).group()
    administer(postgresql_server, f"DROP DATABASE {name}")
    administer(postgresql_server, f"CREATE DATABASE {name}")
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    shared = {"database_url": database_url, "models_url": models_url}
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        starts = [
            pool.submit(lambda f, n: stack.enter_context(running_server(f, server_processes=n, **shared)), folder, n)
            for folder, n in zip(folders, ("2", "1"), strict=True)
        ]
        yield [start.result()[0] for start in starts]


def test_what_a_host_promotes_stores_and_counts_is_known_to_all(hosts, models_url, challenger):
    first, second = hosts
    article = {"text": THREE_PARAGRAPHS, "outlet": "Ilara Post"}

    Registry(models_url).register(challenger)
    assert first.post("/v1/models/v2/promote", json={"by": "mira", "reason": "better"}).status_code == 200
    began = time.monotonic()
    wait_until(lambda: _version(second) == "v2", "the other host to take the model up", seconds=_SOON)
    # Each of the two processes of the first host answers some of the requests.
    wait_until(lambda: all(_version(first) == "v2" for _ in range(8)), "all processes", seconds=_SOON)
    assert time.monotonic() - began < _SOON

    with ThreadPoolExecutor(6) as pool:
        sent = [
            pool.submit(host.post, "/v1/articles", json=article, headers={"Idempotency-Key": "k"})
            for host in [first, second] * 3
        ]
    answers = [request.result() for request in sent]
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(second.get("/v1/articles").json()["articles"]) == 1
    reused = second.post("/v1/articles", json={"text": "Another text."}, headers={"Idempotency-Key": "k"})
    assert reused.status_code == 409

    counted = [_stored(first) for _ in range(6)]
    assert counted == [3] * 6


def _version(client):
    return client.post("/v1/classify", json={"text": "The minister ignored warnings."}).json()["model"]["version"]


def _stored(client):
    """Number of articles sent to the processes of a host, by the metrics of the process that answers."""
    counts = re.findall(
        r'framing_http_requests_total\{method="POST",route="/v1/articles",.*\} (\d+)', client.get("/metrics").text
    )
    return sum(map(int, counts))
