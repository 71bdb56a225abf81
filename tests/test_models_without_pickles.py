"""Code from the models folder and from the database: nothing there is unpickled, whatever it says of itself."""

import base64
import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sqlalchemy import inspect, text

from service.cli.backup import back_up
from service.jobs.workflows import forget_pickles
from service.settings import Settings
from service.store import training_runs
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.paths import ROOT
from tests.support.servers import PROGRAM, environment, kill, running_server
from tests.support.waiting import wait_until
from training.challenger import Challenger
from training.errors import ModelFileError
from training.kinds.adapted import base_challenger
from training.registry.base import base_for
from training.registry.signatures import Trust
from training.registry.versions import Registry
from training.reports.card import card_to_markdown

KEY = "the key of this installation and no other"
TEXTS = THREE_PARAGRAPHS.split("\n\n")


class Canary:
    """What a hostile pickle is: it makes a folder as soon as it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture(scope="module")
def shipped(codebook):
    """The shipped model of words as a challenger, which takes no training."""
    return base_challenger(base_for(codebook, "words"), seed=1)


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


@pytest.fixture(scope="module")
def made(shipped, tmp_path_factory):
    """A data folder whose champion is the shipped model of words, v1. To be copied only."""
    place = tmp_path_factory.mktemp("made")
    registry = Registry(place / "models")
    registry.promote(registry.register(shipped).version, by="tests", reason="the first")
    database = Database(f"sqlite:///{place / 'framing.sqlite3'}")
    database.migrate()
    database.close()
    return place


@pytest.fixture
def folder(tmp_path, made):
    return shutil.copytree(made, tmp_path / "data")


def forge(models, canary):
    """Puts a version v2 there, of a pickle with its own digest on the card, and promotes it."""
    content = pickle.dumps(Canary(canary))
    place = models / "versions" / "v2"
    place.mkdir()
    (place / "pipeline.joblib").write_bytes(content)
    card = json.loads((models / "versions" / "v1" / "card.json").read_bytes())
    card |= {"version": "v2", "pipeline_sha256": hashlib.sha256(content).hexdigest(), "scorer_sha256": ""}
    card["learned_sha256"] = ""
    (place / "card.json").write_text(json.dumps(card), encoding="utf-8")
    promotion = json.loads((models / "promotions" / "000001.json").read_bytes())
    digest = hashlib.sha256((place / "card.json").read_bytes()).hexdigest()
    promotion |= {"number": 2, "version": "v2", "previous": "v1", "card_sha256": digest}
    (models / "promotions" / "000002.json").write_text(json.dumps(promotion), encoding="utf-8")


TRUSTS = [{}, {"model_key": KEY}, {"model_key": KEY, "allow_pickle": "true"}]


@pytest.mark.parametrize("trust", TRUSTS, ids=["no key", "key", "key and pickles allowed"])
def test_a_forged_version_and_its_promotion_run_no_code_in_any_command(
    folder, canary, framing_process, monkeypatch, tmp_path, trust
):
    log = tmp_path / "unpickled"
    monkeypatch.setenv("UNPICKLED_LOG", str(log))
    if trust:
        Registry(folder / "models", Trust(KEY.encode())).sign_promotions()
    forge(folder / "models", canary)
    place = {"data_dir": folder, **trust}
    assert framing_process("models", **place).returncode == 0
    assert "only a pickle" in framing_process("promote", "v2", "--reason", "hope", **place).stderr
    doctor = framing_process("doctor", "--json", **place)
    faults = {finding["subject"] for finding in json.loads(doctor.stdout) if not finding["ok"]}
    assert "model v2" in faults
    assert ("champion" in faults) is not bool(trust)
    back_up(Settings(data_dir=folder), tmp_path / "doctored.zip", lambda _step, _share: None)
    restored = {**place, "data_dir": tmp_path / "restored"}
    assert framing_process("restore", "doctored.zip", **restored).returncode == 0
    assert framing_process("doctor", **restored).returncode == 1
    assert framing_process("rollback", "--reason", "forged", **place).returncode == (1 if trust else 0)
    assert not canary.exists()
    assert not log.exists(), log.read_text(encoding="utf-8")


@pytest.mark.parametrize("trust", [TRUSTS[0], TRUSTS[2]], ids=["no key", "key and pickles allowed"])
def test_a_running_server_and_its_worker_open_no_forged_model(folder, canary, monkeypatch, tmp_path, trust):
    log = tmp_path / "unpickled"
    monkeypatch.setenv("UNPICKLED_LOG", str(log))
    if trust:
        Registry(folder / "models", Trust(KEY.encode())).sign_promotions()
    with running_server(folder, worker="true", champion_poll_seconds="0.05", **trust) as (client, _process):
        wait_until((folder / "worker.lock").exists, "the worker")
        assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).json()["model"]["version"] == "v1"
        forge(folder / "models", canary)
        wait_until(lambda: "framing_model_refusals_total 1.0" in client.get("/metrics").text, "the refusal")
        assert client.post("/v1/classify", json={"text": THREE_PARAGRAPHS}).json()["model"]["version"] == "v1"
    # The worker of the next server looks for the champion as soon as it starts.
    output = tmp_path / "worker.log"
    with output.open("wb") as stream:
        variables = environment(data_dir=folder, log_level="info", **trust)
        worker = subprocess.Popen([*PROGRAM, "worker"], cwd=folder, env=variables, stderr=stream)
        try:
            wait_until(lambda: "The worker is ready" in output.read_text(), "the worker", process=worker)
            if not trust:  # else the champion is still v1
                wait_until(lambda: "only a pickle" in output.read_text(), "the refusal", process=worker)
        finally:
            kill(worker)
    assert not canary.exists()
    assert not log.exists(), log.read_text(encoding="utf-8")


def of_hashes(shipped):
    """A pipeline of the user's own that cannot be compiled: it hashes words."""
    frames = OneVsRestClassifier(LogisticRegression(solver="liblinear"))
    pipeline = Pipeline([("features", HashingVectorizer(n_features=2**10)), ("frames", frames)])
    targets = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]])
    pipeline.fit(["the army moved in", "they blame the minister", "rain fell in the town"], targets)
    return Challenger(pipeline, replace(shipped.card, stances=(), folds=None, subject=None))


def test_a_pipeline_that_cannot_be_compiled_is_scored_by_a_process_of_its_own_if_allowed_and_signed(
    folder, shipped, monkeypatch, tmp_path
):
    trusting, challenger = Registry(folder / "models", Trust(KEY.encode(), allow_pickle=True)), of_hashes(shipped)
    card = trusting.register(challenger)
    assert (card.version, card.is_pickle) == ("v2", True)
    assert "a process of its own opens it" in card_to_markdown(card)
    log = tmp_path / "unpickled"
    monkeypatch.setenv("UNPICKLED_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    model = trusting.load("v2")
    expected = challenger.pipeline.predict_proba([value.lower() for value in TEXTS])
    assert np.abs(model.score(TEXTS) - expected).max() < 1e-9
    _, [explained] = model.score_and_explain(TEXTS[:1])
    assert all(explanation.evidence == () for explanation in explained)
    assert {"pipeline_process" in line for line in log.read_text(encoding="utf-8").splitlines()} == {True}
    trusting.promote("v2", by="tests", reason="allowed and signed")
    assert trusting.load_champion()[0].card.version == "v2"


@pytest.mark.parametrize(
    ("trust", "lacks"),
    [
        (Trust(), "FRAMING_ALLOW_PICKLE is off"),
        (Trust(KEY.encode()), "FRAMING_ALLOW_PICKLE is off"),
        (Trust(None, allow_pickle=True), "it is not signed"),
        (Trust(KEY[::-1].encode(), allow_pickle=True), "it is not signed"),
    ],
)
def test_without_both_conditions_a_pickle_is_refused_by_the_name_of_what_it_lacks(folder, shipped, trust, lacks):
    Registry(folder / "models", Trust(KEY.encode())).register(of_hashes(shipped))
    with pytest.raises(ModelFileError, match=f"only a pickle, which could run any code. It was not opened: {lacks}"):
        Registry(folder / "models", trust).load("v2")


@pytest.mark.parametrize("name", ["pipeline.joblib", "card.json", "signature.json"])
def test_a_signed_pickle_of_which_anything_was_changed_is_refused(folder, shipped, canary, name):
    trusting = Registry(folder / "models", Trust(KEY.encode(), allow_pickle=True))
    trusting.register(of_hashes(shipped))
    place = folder / "models" / "versions" / "v2"
    card = json.loads((place / "card.json").read_bytes())
    if name == "pipeline.joblib":
        (place / name).write_bytes(pickle.dumps(Canary(canary)))
        card["pipeline_sha256"] = hashlib.sha256((place / name).read_bytes()).hexdigest()
    if name == "signature.json":
        (place / name).write_text(json.dumps({"hmac_sha256": "0" * 64}), encoding="utf-8")
    else:
        (place / "card.json").write_text(json.dumps({**card, "note": "better"}), encoding="utf-8")
    with pytest.raises(ModelFileError, match="not signed"):
        trusting.load("v2")
    assert not canary.exists()


def test_a_pickle_that_is_exchanged_before_its_signature_is_checked_is_not_opened(folder, shipped, canary, monkeypatch):
    trusting = Registry(folder / "models", Trust(KEY.encode(), allow_pickle=True))
    card = trusting.register(of_hashes(shipped))
    place = folder / "models" / "versions" / "v2"
    genuine = {path: path.read_bytes() for path in place.iterdir()}
    hostile = pickle.dumps(Canary(canary))
    (place / "pipeline.joblib").write_bytes(hostile)
    forged = genuine[place / "card.json"].decode().replace(card.pipeline_sha256, hashlib.sha256(hostile).hexdigest())
    (place / "card.json").write_text(forged, encoding="utf-8")
    read = trusting.storage.read

    def put_back_before_the_signature(path, *most):
        if path.endswith("signature.json"):
            for file, content in genuine.items():
                file.write_bytes(content)
        return read(path, *most)

    monkeypatch.setattr(trusting.storage, "read", put_back_before_the_signature)
    with pytest.raises(ModelFileError, match="not signed"):
        trusting.load("v2").prepare()
    assert not canary.exists()


def test_the_process_that_unpickles_has_no_keys_and_ends_with_the_model(folder, shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("FRAMING_MODEL_KEY", KEY)
    monkeypatch.setenv("FRAMING_ADMIN_KEY", KEY)
    monkeypatch.setenv("framing_database_url", KEY)  # the case of a setting does not matter
    trusting = Registry(folder / "models", Trust(KEY.encode(), allow_pickle=True))
    trusting.register(of_hashes(shipped))
    model = trusting.load("v2")
    model.prepare()
    [process] = [p for p in _children() if b"pipeline_process" in (Path("/proc") / p / "cmdline").read_bytes()]
    assert KEY.encode() not in (Path("/proc") / process / "environ").read_bytes()
    del model
    wait_until(lambda: process not in _children(), "the process to end")


def _children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: {"not": "a pipeline"}, "not a readable pipeline"),
        (lambda: Faulty("raises"), "cannot score: RuntimeError: no scores today"),
        (lambda: Faulty("ends"), "ended, or took longer"),
        (lambda: Faulty("other"), "does not return a score from 0 to 1 for each"),
        (lambda: Faulty("large"), "does not return a score from 0 to 1 for each"),
    ],
)
def test_whatever_a_pipeline_does_the_service_gets_scores_or_a_sentence(tmp_path, monkeypatch, made, sentence):
    from training.scoring.pipeline_process import PipelineProcess

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    joblib.dump(made(), tmp_path / "pipeline.joblib")
    process = PipelineProcess((tmp_path / "pipeline.joblib").read_bytes(), 4, "v2")
    for _ in range(2):  # also after it has ended
        with pytest.raises(ModelFileError, match=sentence):
            process.predict_proba(["the army"])


class Faulty:
    """A pipeline that does not do what pipelines do."""

    def __init__(self, how):
        self.how = how

    def predict_proba(self, texts):
        if self.how == "raises":
            raise RuntimeError("no scores today")
        if self.how == "ends":
            os._exit(3)
        return np.full((len(texts), 3 if self.how == "other" else 4), 7.0)


def test_allowing_pickles_without_a_key_is_refused_at_the_start(framing, folder):
    done = framing("models", data_dir=folder, allow_pickle="true")
    assert done.returncode == 2
    assert "FRAMING_ALLOW_PICKLE opens signed pickles only: set FRAMING_MODEL_KEY too" in done.stderr


def test_every_registry_of_the_service_is_opened_with_what_the_settings_trust():
    lines = [
        (path.name, line.strip())
        for path in (ROOT / "service").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"(?<!\w)Registry\(", line)
    ]
    assert len(lines) > 10
    # Pieces of articles are scored from compiled forms only, of a version that the server has loaded before.
    assert [entry for entry in lines if "settings.trust" not in entry[1]] == [
        ("scoring_pool.py", "return Registry(models).load(version)")
    ]


def test_a_pipeline_for_other_programs_is_made_of_arrays(folder, shipped, canary):
    registry = Registry(folder / "models")
    (folder / "models" / "versions" / "v1" / "pipeline.joblib").write_bytes(pickle.dumps(Canary(canary)))
    scores = registry.pipeline("v1").predict_proba([value.lower() for value in TEXTS])
    assert np.abs(scores - shipped.pipeline.predict_proba([value.lower() for value in TEXTS])).max() < 1e-12
    assert not canary.exists()


# -- the tables of DBOS


PLANTED = """
import base64, os, pickle, sys
from sqlalchemy import text
from dbos import DBOS, SetWorkflowID
from service.jobs.workflows import launch
from service.store.sql.database import Database

class Canary:
    def __reduce__(self):
        return (os.mkdir, (sys.argv[2],))

@DBOS.workflow(name="work")
def work(argument):
    return DBOS.run_step({"name": "step"}, lambda: argument)

database = Database(sys.argv[1])
database.migrate()
engine = database.separate_engine()
launch(engine)
with SetWorkflowID("mine"):
    print(DBOS.start_workflow(work, {"a": [1, None]}).get_result())
hostile = base64.b64encode(pickle.dumps(Canary())).decode()
with engine.begin() as connection:
    for table, column in (("workflow_status", "output"), ("workflow_output", "output"), ("workflow_input", "inputs")):
        connection.execute(text(f"UPDATE {table} SET {column} = :hostile"), {"hostile": hostile})
    connection.execute(text("UPDATE workflow_status SET serialization = 'py_pickle'"))
try:
    DBOS.retrieve_workflow("mine").get_result()
except Exception as error:
    print(error)
DBOS.destroy()
"""


def test_what_dbos_stores_is_json_and_a_pickle_in_its_tables_is_not_opened(tmp_path, canary):
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}"
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, url, str(canary)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "{'a': [1, None]}",
        "The database holds a pickle where it should hold JSON; it was not opened.",
    ]
    assert not canary.exists()


@pytest.mark.databases
def test_a_run_whose_steps_an_earlier_version_stored_as_pickles_starts_again_and_ends(database, settings, canary):
    """The run has nothing to learn from, so that it soon ends with a sentence."""
    request = training_runs.RunRequest(include_corpus=False)
    with database.write() as connection:
        run = training_runs.create(connection, request).id
    place = settings.data_dir
    variables = environment(data_dir=place, database_url=settings.store_url, log_level="warning")
    first = subprocess.Popen([*PROGRAM, "worker"], cwd=place, env=variables)
    try:
        wait_until(lambda: _state(database, run) == "failed", "the first worker")
    finally:
        kill(first)
    _make_old(database, run, base64.b64encode(pickle.dumps(Canary(canary))).decode())
    second = subprocess.Popen([*PROGRAM, "worker"], cwd=place, env=variables)
    try:
        wait_until(lambda: _state(database, run) == "failed", "the second worker")
    finally:
        kill(second)
    with database.read() as connection:
        assert "There are too few annotations to train" in training_runs.require(connection, run).error
    assert not canary.exists()


def _state(database, run):
    with database.read() as connection:
        return training_runs.require(connection, run).state


def _make_old(database, run, pickled):
    """Makes a run look as an earlier version of this program left it when it was killed in the first step."""
    schema = "" if database.is_sqlite else "dbos."
    with database.write() as connection:
        training_runs.change(connection, run, line="killed", state="running", error=None)
        for change in (
            f"DELETE FROM {schema}operation_outputs",
            f"UPDATE {schema}workflow_input SET inputs = :pickled",
            f"UPDATE {schema}workflow_status SET status = 'PENDING', serialization = 'py_pickle', inputs = :pickled",
        ):
            connection.execute(text(change).bindparams(**({"pickled": pickled} if ":pickled" in change else {})))


@pytest.mark.databases
def test_before_its_first_start_dbos_has_no_tables_to_look_through(database):
    engine = database.separate_engine()
    forget_pickles(engine)
    assert not inspect(engine).has_table("workflow_status", None if database.is_sqlite else "dbos")
    engine.dispose()


def test_a_backup_holds_the_signatures_and_restoring_it_signs_nothing(folder, shipped, tmp_path, framing):
    Registry(folder / "models", Trust(KEY.encode())).register(shipped)
    back_up(Settings(data_dir=folder), tmp_path / "a.zip", lambda _step, _share: None)
    assert "models/versions/v2/signature.json" in zipfile.ZipFile(tmp_path / "a.zip").namelist()
    there = tmp_path / "there"
    assert framing("restore", "a.zip", data_dir=there, model_key=KEY).returncode == 0
    restored = Registry(there / "models", Trust(KEY.encode()))
    assert (restored.is_signed("v1"), restored.is_signed("v2")) == (False, True)
    assert [entry.name for entry in restored.refused_promotions()] == ["promotions/000001.json"]
