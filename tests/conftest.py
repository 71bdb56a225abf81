"""Fixtures: models trained once per test run, and applications, servers and commands that use copies of them."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial, partialmethod
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import joblib
import pytest
from starlette.testclient import TestClient

from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import Codebook, read_codebook
from service.access.secrets import create_key
from service.app import create_app
from service.pages.assets import ChartFiles
from service.settings import Settings
from service.store.callers import ROLES, Role
from service.store.sql.database import Database
from tests.support.browser import CHROMIUM, chromium
from tests.support.commands import Run, run_here, run_process
from tests.support.corpus import write_part_of_the_corpus
from tests.support.demonstration import is_foreign
from tests.support.postgresql import PROGRAMS, administer, postgresql
from tests.support.s3 import s3_server
from tests.support.servers import PROGRAM, environment, running_server
from tests.support.sharing import make_once, reusable_folder, shared_folder
from tests.support.tiny_encoder import use_base, write_tiny_base
from training.challenger import Challenger, train_challenger
from training.kinds.adapted import base_challenger
from training.registry.base import BaseModel
from training.registry.versions import Registry
from training.scoring.frame_model import FrameModel

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# A server without keys answers to the names of this machine alone, and this client would call it `testserver`.
TestClient.__init__ = partialmethod(TestClient.__init__, base_url="http://localhost")  # type: ignore[assignment,method-assign]


@pytest.fixture(scope="session")
def codebook() -> Codebook:
    return read_codebook()


@pytest.fixture(scope="session")
def corpus(codebook: Codebook) -> tuple[CodedParagraph, ...]:
    return read_corpus(DEFAULT_CORPUS, codebook)


@pytest.fixture(scope="session")
def part_of_the_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy of the articles."""
    return write_part_of_the_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def models_made_by_tests(pytestconfig: pytest.Config) -> Path:
    """A folder of models that later runs reuse while neither code nor corpus nor libraries have changed."""
    return reusable_folder(pytestconfig.cache, "labels", "training", "tests/support/corpus.py")


@pytest.fixture(scope="session")
def challenger(corpus: tuple[CodedParagraph, ...], codebook: Codebook, models_made_by_tests: Path) -> Challenger:
    """A model of the whole corpus, not registered yet."""
    path = models_made_by_tests / "whole.joblib"
    trained: Challenger = joblib.load(make_once(path, lambda new: joblib.dump(train_challenger(corpus, codebook), new)))
    return trained


@pytest.fixture(scope="session")
def model(challenger: Challenger) -> FrameModel:
    """The challenger as a registered model, in memory."""
    return FrameModel.of(challenger.pipeline, challenger.card.registered("v1", "0" * 64, "1" * 64))


@pytest.fixture(scope="session")
def other_challenger(part_of_the_corpus: Path, codebook: Codebook, models_made_by_tests: Path) -> Challenger:
    """A model of a part of the corpus: its scores differ from those of `challenger`."""

    def train(new: Path) -> None:
        joblib.dump(train_challenger(read_corpus(part_of_the_corpus, codebook), codebook), new)

    trained: Challenger = joblib.load(make_once(models_made_by_tests / "part.joblib", train))
    return trained


@pytest.fixture(scope="session")
def chart_files(codebook: Codebook, pytestconfig: pytest.Config) -> Path:
    """The cache folder of a service that has made the files of its charts. To be copied only."""
    folder = reusable_folder(pytestconfig.cache, "labels", "service/pages")
    return make_once(folder / "charts", lambda new: ChartFiles(codebook, new).bundle())


@pytest.fixture(scope="session")
def trained_folder(challenger: Challenger, chart_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the challenger as champion v1, beside the cached files of the charts. To be copied only."""

    def register(new: Path) -> None:
        registry = Registry(new / "models")
        registry.promote(registry.register(challenger).version, by="tests", reason="the first")
        shutil.copytree(chart_files, new / "cache")

    return make_once(shared_folder(tmp_path_factory) / "trained", register) / "models"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `databases` run on SQLite and on PostgreSQL, or on those that the mark names; others on SQLite."""
    marker = metafunc.definition.get_closest_marker("databases")
    if "database_url" in metafunc.fixturenames and marker is not None:
        metafunc.parametrize("database_url", marker.args or ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL server with a migrated database `template`; `{name}` stands for the name of a database."""
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


@pytest.fixture(scope="session")
def s3() -> Iterator[None]:
    """An S3 server that this process and its children use."""
    with s3_server():
        yield


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting `database_url` of this test: empty for SQLite, else the URL of a fresh PostgreSQL database."""
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
    """A registry with champion v1 that the test may change; processes started beside it use the test's database."""
    data = shutil.copytree(trained_folder.parent, tmp_path / "data")
    if database_url:
        for folder in (tmp_path, data):
            (folder / ".env").write_text(f"FRAMING_DATABASE_URL={database_url}\n", encoding="utf-8")
    return data / trained_folder.name


@pytest.fixture
def data_dir(models_folder: Path, part_of_the_corpus: Path) -> Path:
    """A data folder; processes started in it train on a part of the corpus."""
    with (models_folder.parent / ".env").open("a", encoding="utf-8") as settings:
        settings.write(f"FRAMING_CORPUS={part_of_the_corpus}\n")
    return models_folder.parent


@pytest.fixture
def timid_champion(data_dir: Path, other_challenger: Challenger) -> str:
    """Version of a champion that learned what processes learn here, and calls nothing present: they do better."""
    card, registry = other_challenger.card, Registry(data_dir / "models")
    assert card.folds is not None
    never = dict.fromkeys(card.frames, 1.1)
    cuts = {
        point: {frame: replace(cut, threshold=1.1, present_from=None) for frame, cut in cuts.items()}
        for point, cuts in card.cuts.items()
    }
    timid = replace(card, cuts=cuts, folds=replace(card.folds, thresholds=(never,) * len(card.folds.thresholds)))
    version = registry.register(replace(other_challenger, card=timid)).version
    registry.promote(version, by="tests", reason="the second")
    return version


@pytest.fixture
def registry(models_folder: Path) -> Registry:
    return Registry(models_folder)


@pytest.fixture
def settings(models_folder: Path, database_url: str) -> Settings:
    return Settings(
        data_dir=models_folder.parent, database_url=database_url, champion_poll_seconds=0.05, start="nothing"
    )


@pytest.fixture
def queue_settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service without a model, whose coders have a fortnight for what they received."""
    return Settings(data_dir=tmp_path / "data", database_url=database_url, worker=False, coding_days=14)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, migrated."""
    database = Database(settings.store_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def key_of(database: Database) -> dict[Role, str]:
    """A key of each role; its owner has the name of the role."""
    with database.write() as connection:
        return {role: create_key(connection, role, role).shown for role in ROLES}


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def base_folder(codebook: Codebook, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for `training/base`, with a tiny encoder. To be copied only."""
    return write_tiny_base(tmp_path_factory.mktemp("base"), codebook)


@pytest.fixture
def base(base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> BaseModel:
    """The base model in `base_folder`, in the place of the shipped models."""
    return use_base(base_folder, monkeypatch)


@pytest.fixture
def tiny(base: BaseModel, tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service whose champion is `base`."""
    registry = Registry(tmp_path / "tiny" / "models")
    registry.promote(registry.register(base_challenger(base, seed=1)).version, by="tests", reason="the first")
    return Settings(data_dir=tmp_path / "tiny", database_url=database_url, worker=False)


@pytest.fixture
def single_thread() -> Iterator[None]:
    """PyTorch with a single thread: more of them cost more than they gain on models as small as those of tests."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def framing(tmp_path: Path) -> Run:
    """Runs a command in an empty folder and in this process, with `FRAMING_*` variables as keyword arguments."""
    return partial(run_here, tmp_path)


@pytest.fixture
def framing_process(tmp_path: Path) -> Run:
    """Runs a command in an empty folder as a process, with `FRAMING_*` variables as keyword arguments."""
    return partial(run_process, tmp_path)


# Not for the whole session: while Playwright runs, other tests cannot run an event loop in this thread.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if CHROMIUM is None:
        pytest.fail("Chromium is needed for the tests of the pages.", pytrace=False)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a server with the articles and annotations of the demonstration."""
    data = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(trained_folder.parent, data)
    command = [*PROGRAM, "demo", "--json"]
    subprocess.run(command, env=environment(data_dir=data), check=True, capture_output=True)
    with running_server(data) as (client, _):
        yield client


@pytest.fixture
def context(browser: "Browser", site: httpx2.Client) -> "Iterator[BrowserContext]":
    context = browser.new_context(base_url=str(site.base_url), viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: "BrowserContext", site: httpx2.Client) -> "Iterator[Page]":
    """A page that must print nothing to the console, raise nothing, and contact no other server.

    A test that expects a message adds a part of it to `page.expected`.
    """
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", lambda request: complaints.append(request.url) if is_foreign(request.url, site) else None)
    page.expected = []  # type: ignore[attr-defined]
    yield page
    assert [line for line in complaints if not any(part in line for part in page.expected)] == []  # type: ignore[attr-defined]
