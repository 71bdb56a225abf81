import errno
import gzip
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import pytest

from tests.support.paths import ROOT
from training.errors import (
    ChampionChangedError,
    ModelFileError,
    NoChampionError,
    NoSuchVersionError,
    RegistryError,
    StorageError,
)
from training.registry.signatures import Trust
from training.registry.versions import Registry


def pipeline_file(registry, version="v1"):
    return registry.storage.folder / "versions" / version / "pipeline.joblib"


def card_file(registry, version="v1"):
    return registry.storage.folder / "versions" / version / "card.json"


def change_card(registry, **changes):
    path = card_file(registry)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_a_registered_model_scores_as_it_did_before(registry, challenger, corpus):
    from training.scoring.frame_model import FrameModel

    texts = [p.text for p in corpus[:20]]
    before = FrameModel.of(challenger.pipeline, challenger.card).score(texts)
    assert (registry.load("v1").score(texts) == before).all()


def test_versions_count_up_and_the_list_is_in_their_order(registry, challenger):
    for expected in ["v2", "v3"]:
        assert registry.register(challenger).version == expected
    shutil.copytree(registry.storage.folder / "versions" / "v2", registry.storage.folder / "versions" / "v10")
    (registry.storage.folder / "versions" / "notes").mkdir()
    assert registry.versions() == ["v1", "v2", "v3", "v10"]


def test_an_empty_registry_says_that_there_is_nothing(tmp_path):
    empty = Registry(tmp_path / "nothing")
    assert (empty.versions(), empty.history(), empty.unfinished()) == ([], [], [])
    with pytest.raises(NoChampionError):
        empty.champion()
    with pytest.raises(NoChampionError):
        empty.roll_back(by="me", reason="none")


@pytest.mark.parametrize("name", ["v9", "v0", "v01", "../v1", "v1/../v1", "", "champion", "v1\0", "v" + "9" * 40])
def test_a_version_that_is_not_there_is_refused_by_name_and_no_other_path_is_touched(registry, name):
    with pytest.raises(NoSuchVersionError):
        registry.load(name)


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, zlib.compress])
def test_a_foreign_pickle_is_refused_before_it_is_opened(registry, tmp_path, wrap):
    pipeline_file(registry).write_bytes(wrap(pickle.dumps(Canary(tmp_path / "canary"))))
    with pytest.raises(ModelFileError, match="not the one that was registered"):
        registry.load("v1")
    assert not (tmp_path / "canary").exists()


def test_every_damage_is_refused_before_unpickling(registry):
    whole = pipeline_file(registry).read_bytes()
    generator = random.Random(1)
    damaged = [whole[: generator.randrange(len(whole))] for _ in range(40)] + [b""]
    for _ in range(60):
        flipped = bytearray(whole)
        flipped[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        damaged.append(bytes(flipped))
    for _ in range(30):
        torn, place = bytearray(whole), generator.randrange(len(whole) - 4096)
        torn[place : place + 4096] = bytes(4096)
        damaged.append(bytes(torn))
    for content in damaged:
        pipeline_file(registry).write_bytes(content)
        with pytest.raises(ModelFileError, match="SHA-256"):
            registry.load("v1")
    pipeline_file(registry).write_bytes(whole)
    assert registry.load("v1").card.version == "v1"


def test_missing_files_and_swapped_folders_are_refused(registry, challenger):
    registry.register(challenger)
    shutil.copy(card_file(registry, "v2"), card_file(registry, "v1"))
    with pytest.raises(ModelFileError, match="belongs to 'v2'"):
        registry.load("v1")
    pipeline_file(registry, "v2").unlink()
    with pytest.raises(ModelFileError, match=r"no readable pipeline\.joblib"):
        registry.load("v2")


def test_a_file_of_the_right_digest_that_is_not_a_pipeline_is_refused(registry):
    import hashlib

    joblib.dump({"not": "a pipeline"}, pipeline_file(registry))
    digest = hashlib.sha256(pipeline_file(registry).read_bytes()).hexdigest()
    change_card(registry, pipeline_sha256=digest, scorer_sha256="")
    with pytest.raises(ModelFileError, match="only a pickle"):
        registry.load("v1")
    trusting = Registry(registry.storage.folder, Trust(b"a key", allow_pickle=True))
    trusting.sign("v1")
    with pytest.raises(ModelFileError, match="is not a readable pipeline"):
        trusting.load("v1").prepare()


def test_a_model_of_another_scikit_learn_is_served_compiled_and_refused_as_a_pickle(registry):
    libraries = json.loads(card_file(registry).read_text(encoding="utf-8"))["libraries"]
    change_card(registry, libraries={**libraries, "scikit-learn": "1.2.0"})
    assert registry.load("v1").score(["The army"]).shape == (1, 4)
    change_card(registry, scorer_sha256="")
    trusting = Registry(registry.storage.folder, Trust(b"a key", allow_pickle=True))
    trusting.sign("v1")
    with pytest.raises(ModelFileError, match=r"trained with scikit-learn 1\.2\.0 and 1\."):
        trusting.load("v1")


def test_a_card_that_was_changed_after_its_promotion_is_not_served(registry):
    change_card(registry, note="better than it is")
    with pytest.raises(ModelFileError, match="changed after its promotion"):
        registry.load_champion()


def test_promotion_and_rollback_are_recorded_in_the_history_with_who_and_why(registry, challenger):
    for _ in range(2):
        registry.register(challenger)
    registry.promote("v2", by="mira", reason="better")
    registry.promote("v3", by="tom", reason="better still")
    assert registry.roll_back(by="mira", reason="misses denials").version == "v2"
    assert registry.roll_back(by="mira", reason="worse than thought").version == "v1"
    with pytest.raises(RegistryError, match="no earlier champion"):
        registry.roll_back(by="mira", reason="once more")
    history = [(p.number, p.action, p.version, p.previous, p.by) for p in registry.history()]
    assert history == [
        (1, "promote", "v1", None, "tests"),
        (2, "promote", "v2", "v1", "mira"),
        (3, "promote", "v3", "v2", "tom"),
        (4, "rollback", "v2", "v1", "mira"),
        (5, "rollback", "v1", None, "mira"),
    ]


def test_a_version_that_cannot_be_loaded_is_not_promoted(registry, challenger):
    registry.register(challenger)
    pipeline_file(registry, "v2").write_bytes(b"x")
    with pytest.raises(ModelFileError):
        registry.promote("v2", by="me", reason="hope")
    assert registry.champion().version == "v1"


def test_of_promoters_at_once_all_are_in_the_history_and_the_last_has_won(registry, challenger):
    registry.register(challenger)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: registry.promote("v2" if n % 2 else "v1", by=str(n), reason="race"), range(24)))
    history = registry.history()
    assert [p.number for p in history] == list(range(1, 26))
    assert sorted(p.by for p in history[1:]) == sorted(map(str, range(24)))
    assert registry.champion() == max(done, key=lambda p: p.number)
    assert registry.unfinished() == []


def _register(folder):
    registry = Registry(Path(folder))
    model = registry.load("v1")
    from training.challenger import Challenger

    pipeline = joblib.load(registry.storage.folder / "versions" / "v1" / "pipeline.joblib")
    return registry.register(Challenger(pipeline, model.card)).version


def test_processes_that_register_at_once_get_a_version_each(registry):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        versions = pool.map(_register, [str(registry.storage.folder)] * 4)
    assert sorted(versions) == ["v2", "v3", "v4", "v5"]
    for version in versions:
        registry.load(version)


BUSY = """
import sys, joblib
from pathlib import Path
from training.challenger import Challenger
from training.registry.versions import Registry
registry = Registry(Path(sys.argv[1]))
pipeline = joblib.load(registry.storage.folder / "versions" / "v1" / "pipeline.joblib")
challenger = Challenger(pipeline, registry.card("v1"))
while True:
    registry.promote(registry.register(challenger).version, by="busy", reason="again")
    print("promoted", flush=True)
"""


def test_whoever_is_killed_while_registering_or_promoting_every_version_and_the_champion_load(registry):
    generator = random.Random(7)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", BUSY, str(registry.storage.folder)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        assert process.stdout.readline() == "promoted\n"
        time.sleep(generator.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model, promotion = registry.load_champion()
        assert model.card.version == promotion.version
    for version in registry.versions():
        registry.load(version)
    numbers = [promotion.number for promotion in registry.history()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 6


@pytest.fixture
def two_versions(registry, challenger):
    registry.register(challenger)
    return registry


def test_a_promotion_is_on_the_disk_in_order_before_it_is_answered(two_versions, monkeypatch):
    done = []
    places = {}

    def sync(descriptor):
        done.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        return real_sync(descriptor)

    def link(source, target, **more):
        places["unnamed"], places["named"] = str(source), str(target)
        done.append(("link", str(target)))
        return real_link(source, target, **more)

    real_sync, real_link = os.fsync, os.link
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", link)
    two_versions.promote("v2", by="me", reason="better")
    assert done == [
        ("sync", places["unnamed"]),
        ("link", places["named"]),
        ("sync", str(two_versions.storage.folder / "promotions")),
    ]


@pytest.mark.parametrize("what", ["register", "promote"])
def test_whichever_write_fails_it_is_reported_and_the_registry_stays_whole(two_versions, challenger, monkeypatch, what):
    calls = {"left": 0}

    def failing(real):
        def call(*arguments, **more):
            calls["left"] -= 1
            if calls["left"] == 0:
                raise OSError(errno.EIO, "Input/output error")
            return real(*arguments, **more)

        return call

    for name in ("fsync", "link", "replace", "write", "fdopen"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    failed, messages = 0, set()
    while True:
        calls["left"] = failed + 1
        before = (two_versions.champion().number, two_versions.versions())
        try:
            if what == "register":
                two_versions.register(challenger)
            else:
                two_versions.promote("v2", by="me", reason="better")
        except StorageError as error:
            messages.add(str(error))
            failed += 1
        else:
            if calls["left"] > 0:
                break
        calls["left"] = 0
        model, promotion = two_versions.load_champion()
        assert model.card.version == promotion.version
        assert promotion.number >= before[0]
        assert len(two_versions.history()) == promotion.number
        assert set(before[1]) <= set(two_versions.versions())
    assert failed >= 3
    assert all("Input/output error" in sentence for sentence in messages)


def test_a_promoter_that_was_overtaken_gets_an_error_and_changes_nothing(two_versions, monkeypatch):
    create = two_versions.storage.create
    for _ in range(100):
        judged_against = two_versions.champion().version
        other = {"v1": "v2", "v2": "v1"}[judged_against]
        overtaken = []

        def slow(path, content, other=other, overtaken=overtaken):
            if not overtaken:  # stopped between reading the history and writing: somebody else is quicker
                overtaken.append(True)
                two_versions.promote(other, by="the quick", reason="now")
            return create(path, content)

        monkeypatch.setattr(two_versions.storage, "create", slow)
        with pytest.raises(ChampionChangedError, match="is no longer the champion"):
            two_versions.promote(judged_against, by="the slow", reason="late", judged_against=judged_against)
        monkeypatch.setattr(two_versions.storage, "create", create)
        assert (two_versions.champion().version, two_versions.champion().by) == (other, "the quick")
