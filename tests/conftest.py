"""Shared parts: one model trained once, and applications, servers and commands that use copies of it."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import joblib
import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from benchmarks.articles import write_part_of_the_corpus
from benchmarks.postgresql import PROGRAMS, postgresql
from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import Codebook, read_codebook
from service.app import create_app
from service.pages.assets import ChartFiles
from service.settings import Settings
from service.store.sql.database import Database
from service.store.sql.database import database_url as with_driver
from training.challenger import Challenger, train_challenger
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

pytest_plugins = ("demonstration",)

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

THREE_PARAGRAPHS = (
    "The government ignored repeated warnings and failed to protect the province, and no minister has resigned.\n\n"
    "Officials accused the neighbouring state of arming and training the gunmen through its intelligence service.\n\n"
    "The market reopened on Monday and the road to the coast was cleared of snow by noon, the mayor said."
)


@pytest.fixture(scope="session")
def codebook() -> Codebook:
    return read_codebook()


@pytest.fixture(scope="session")
def corpus(codebook: Codebook) -> tuple[CodedParagraph, ...]:
    return read_corpus(DEFAULT_CORPUS, codebook)


@pytest.fixture(scope="session")
def part_of_the_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred of the articles."""
    return write_part_of_the_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def challenger(
    corpus: tuple[CodedParagraph, ...], codebook: Codebook, tmp_path_factory: pytest.TempPathFactory
) -> Challenger:
    """Trained on the whole corpus by the first of the processes that share the tests; the others load it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    trained = folder / "challenger.joblib"
    with (folder / "challenger.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not trained.exists():
            joblib.dump(train_challenger(corpus, codebook), trained)
    found: Challenger = joblib.load(trained)
    return found


@pytest.fixture(scope="session")
def model(challenger: Challenger) -> FrameModel:
    """The challenger as a registered model, in memory."""
    return FrameModel.of(challenger.pipeline, challenger.card.registered("v1", "0" * 64, "1" * 64))


@pytest.fixture(scope="session")
def other_challenger(part_of_the_corpus: Path, codebook: Codebook) -> Challenger:
    """One that scores otherwise, for want of paragraphs."""
    return train_challenger(read_corpus(part_of_the_corpus, codebook), codebook)


@pytest.fixture(scope="session")
def trained_folder(challenger: Challenger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "models"
    registry = Registry(folder)
    registry.promote(registry.register(challenger).version, by="tests", reason="the first")
    ChartFiles(read_codebook(), folder.parent / "cache").bundle()
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `databases` run on SQLite and on PostgreSQL, or those that the mark names; all others on SQLite."""
    marker = metafunc.definition.get_closest_marker("databases")
    if "database_url" in metafunc.fixturenames and marker is not None:
        metafunc.parametrize("database_url", marker.args or ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL server with a migrated database `template`; `{name}` stands for that of a database."""
    if PROGRAMS is None:
        if os.environ.get("FRAMING_TESTS_REQUIRE_POSTGRESQL"):
            pytest.fail("PostgreSQL is needed for these tests.")
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with postgresql() as cluster:
        url = cluster.url
        administer(url, "CREATE DATABASE template")
        template = Database(url.format(name="template"))
        template.migrate()
        template.close()
        yield url


def administer(url: str, statement: str) -> None:
    engine = create_engine(with_driver(url.format(name="postgres")), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def s3() -> Iterator[None]:
    """An S3 server, which processes started by the test find too."""
    from s3 import s3_server

    with s3_server():
        yield


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting `database_url` of this test: empty for SQLite, else that of a fresh PostgreSQL database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"test_{uuid.uuid4().hex}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE template")
    yield server.format(name=name)
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def models_folder(trained_folder: Path, tmp_path: Path, database_url: str) -> Path:
    """A registry with v1 as champion, one's own to spoil; processes started beside it find the test's database."""
    data = shutil.copytree(trained_folder.parent, tmp_path / "data")
    if database_url:
        for folder in (tmp_path, data):
            (folder / ".env").write_text(f"FRAMING_DATABASE_URL={database_url}\n", encoding="utf-8")
    return data / trained_folder.name


@pytest.fixture
def data_dir(models_folder: Path, part_of_the_corpus: Path) -> Path:
    """Processes started here train on a part of the corpus."""
    with (models_folder.parent / ".env").open("a", encoding="utf-8") as settings:
        settings.write(f"FRAMING_CORPUS={part_of_the_corpus}\n")
    return models_folder.parent


@pytest.fixture
def champion_of_the_part(data_dir: Path, other_challenger: Challenger) -> str:
    """The version of a champion that was trained as processes started here train: they make one that is as good."""
    registry = Registry(data_dir / "models")
    version = registry.register(other_challenger).version
    registry.promote(version, by="tests", reason="the second")
    return version


@pytest.fixture
def registry(models_folder: Path) -> Registry:
    return Registry(models_folder)


@pytest.fixture
def settings(models_folder: Path, database_url: str) -> Settings:
    return Settings(data_dir=models_folder.parent, database_url=database_url, champion_poll_seconds=0.05)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, migrated."""
    database = Database(settings.store_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def framing(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in an empty folder, with `FRAMING_*` variables as keyword arguments."""

    def run(*arguments: str, stdin: str | None = None, **variables: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "service.cli", *arguments],
            cwd=tmp_path,
            env=environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def environment(**variables: str | Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAMING_")}
    # A worker that takes only what is left would wait for the other tests.
    own = {f"FRAMING_{name.upper()}": str(value) for name, value in {"worker_yields": "false", **variables}.items()}
    return {
        **inherited,
        "PYTHONPATH": f"{ROOT / 'tests' / 'as_installed'}:{ROOT}",
        "COLUMNS": "200",
        "NO_COLOR": "1",
        **own,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(data_dir: Path, **variables: str) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """A real server process, ready, and a client of it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve"],
        cwd=data_dir,
        env=environment(data_dir=data_dir, port=str(port), log_level="warning", **{"worker": "false", **variables}),
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: answers(client, "/livez"), "the server to answer", process=process)
            yield client, process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Tells a process to stop; one that does not is killed, lest it is in the way of other tests, and is a failure."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def answers(client: httpx2.Client, path: str) -> bool:
    try:
        return bool(client.get(path).status_code == 200)
    except httpx2.TransportError:
        return False


def wait_until(
    holds: Callable[[], bool], what: str, seconds: float = 90, process: subprocess.Popen[bytes] | None = None
) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if process is not None and process.poll() is not None:
            pytest.fail(f"The process ended with {process.returncode} while waiting for {what}.")
        if time.monotonic() > deadline:
            pytest.fail(f"Waited {seconds} s for {what}.")
        time.sleep(0.02)


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    """What a process holds in memory, in MiB."""
    return int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


def pointers(problem: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in problem.get("errors", [])]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
