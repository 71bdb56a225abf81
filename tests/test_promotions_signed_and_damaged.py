"""The history of promotions: files that are damaged or not signed count for nothing, and block nothing."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.support.commands import Run
from training.errors import ModelFileError, NoChampionError, RegistryError
from training.kinds.adapted import base_challenger
from training.registry.base import base_for
from training.registry.signatures import Trust
from training.registry.versions import Registry

KEY = "the key of this installation and no other"
SIGNING = Trust(KEY.encode())


@pytest.fixture(scope="module")
def made(codebook, tmp_path_factory):
    """A folder with two versions, of which the first is champion; nothing is signed. To be copied only."""
    registry = Registry(tmp_path_factory.mktemp("made") / "models")
    for _ in range(2):
        registry.register(base_challenger(base_for(codebook, "words"), seed=1))
    registry.promote("v1", by="mira", reason="the first")
    return registry.storage.folder


@pytest.fixture
def models(tmp_path, made):
    return shutil.copytree(made, tmp_path / "data" / "models")


def promotion_file(models, number):
    return models / "promotions" / f"{number:06d}.json"


def changed(models, number, /, **changes):
    path = promotion_file(models, number)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}), encoding="utf-8")


DAMAGED = [
    b"",
    b"{",
    b"\0" * 400,
    b"\xff\xfe",
    b"null",
    b"[]",
    b"5",
    b'"v1"',
    b"[" * 100_000,
    b'{"number": ' + b"9" * 5000 + b"}",
    b"{}",
    b'{"number": 2}',
    b" " * (2**20 + 1),
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_promotion_blocks_nothing_and_its_number_is_not_given_again(models, content):
    registry = Registry(models)
    promotion_file(models, 2).write_bytes(content)
    assert registry.champion().version == "v1"
    assert registry.load_champion()[1].number == 1
    [refused] = registry.refused_promotions()
    assert refused.why == "Promotion 2 in the history cannot be read: promotions/000002.json is empty or damaged."
    assert registry.promote("v2", by="mira", reason="better").number == 3
    assert registry.roll_back(by="mira", reason="worse").version == "v1"
    assert [promotion.number for promotion in registry.history()] == [1, 3, 4]


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 7},
        {"number": True},
        {"version": 5},
        {"version": None},
        {"action": "steal"},
        {"by": ["mira"]},
        {"reason": {}},
        {"previous": 1},
        {"forced": "yes"},
        {"card_sha256": None},
        {"more": "than there is"},
        {"at": "yesterday"},
        {"by": "\ud800"},
    ],
)
def test_a_promotion_of_another_shape_is_damaged(models, changes):
    changed(models, 1, **changes)
    with pytest.raises(ModelFileError, match=r"000001\.json is empty or damaged\. Run `framing doctor`"):
        Registry(models).champion()


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def a_folder(path):
    path.mkdir()
    (path / "inside").write_bytes(b"")


@pytest.mark.parametrize("make", [a_folder, a_socket, os.mkfifo, lambda path: path.symlink_to("/etc/hostname")])
def test_what_is_no_file_under_the_name_of_a_promotion_blocks_nothing(models, make, monkeypatch):
    monkeypatch.chdir(models / "promotions")  # the name of a socket must be short
    make(Path("000002.json"))
    registry = Registry(models)
    assert registry.champion().version == "v1"
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):  # a server looks every second
        registry.newest_promotion()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert registry.promote("v2", by="mira", reason="better").number == 3
    assert registry.champion().version == "v2"
    registry.set_aside_damaged()
    assert registry.refused_promotions() == []


@pytest.mark.parametrize("name", ["0000009.json", "٠٠٠٠٠٩.json", "000009.json.json", "9.json"])
def test_another_spelling_of_a_number_is_no_promotion(models, name):
    (models / "promotions" / name).write_bytes(promotion_file(models, 1).read_bytes())
    registry = Registry(models)
    assert (registry.refused_promotions(), registry.set_aside_damaged()) == ([], [])
    assert registry.promote("v2", by="mira", reason="better").number == 2


def test_a_damaged_file_with_the_highest_number_does_not_keep_a_promotion_from_counting(models):
    promotion_file(models, 999_999_999).write_bytes(b"")
    registry = Registry(models)
    for number, version in enumerate(("v2", "v1", "v2"), start=2):
        assert registry.promote(version, by="mira", reason="better").number == number
        assert registry.champion().version == version
        registry.set_aside_damaged()


def test_after_the_highest_number_a_promotion_is_refused_and_not_written_in_vain(models):
    content = json.loads(promotion_file(models, 1).read_bytes()) | {"number": 999_999_999}
    promotion_file(models, 999_999_999).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RegistryError, match=r"no number left after promotions/999999999\.json"):
        Registry(models).promote("v2", by="mira", reason="better")
    assert len(list((models / "promotions").iterdir())) == 2


@pytest.mark.parametrize(
    "card", [b"[" * 100_000, b'{"a":' * 100_000, b'{"format": 1, "run": "\\ud800"}'], ids=["lists", "objects", "half"]
)
def test_a_card_that_is_nested_without_end_or_has_half_a_character_is_damaged_and_blocks_nothing(models, card, framing):
    (models / "versions" / "v2" / "card.json").write_bytes(card)
    place = {"data_dir": models.parent}
    assert "v2" in framing("models", **place).stdout
    refused = framing("promote", "v2", "--reason", "hope", **place)
    assert (refused.returncode, "The model card is damaged or foreign." in refused.stderr) == (1, True)
    assert framing("promote", "v1", "--reason", "again", **place).returncode == 0


@pytest.mark.parametrize("cuts", [{}, {"balanced": {}, "high_precision": {}, "high_recall": {}}])
def test_a_card_without_the_thresholds_of_its_frames_is_damaged(models, cuts):
    card = models / "versions" / "v2" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_bytes()) | {"cuts": cuts}), encoding="utf-8")
    with pytest.raises(ModelFileError, match="damaged or foreign"):
        Registry(models).promote("v2", by="mira", reason="better")


def test_a_promotion_that_was_copied_under_a_higher_number_counts_for_nothing(models):
    registry = Registry(models, SIGNING)
    registry.sign_promotions()
    registry.promote("v2", by="mira", reason="better")
    promotion_file(models, 3).write_bytes(promotion_file(models, 1).read_bytes())
    assert registry.champion().version == "v2"
    assert [entry.number for entry in registry.refused_promotions()] == [3]


def test_the_doctor_names_a_damaged_promotion_and_sets_it_aside(models, framing: Run):
    promotion_file(models, 2).write_bytes(b"")
    place = {"data_dir": models.parent}
    assert "000002.json is empty or damaged" in " ".join(framing("models", **place).stdout.split())
    doctor = framing("doctor", **place)
    assert doctor.returncode == 1
    assert "`framing doctor --mend` sets damaged files aside" in " ".join(doctor.stdout.split())
    mended = framing("doctor", "--mend", **place)
    assert (mended.returncode, "promotions/000002.json.damaged now" in mended.stderr) == (0, True)
    assert framing("models", "--json", **place).returncode == 0
    assert json.loads(framing("promote", "v2", "--reason", "better", "--json", **place).stdout)["number"] == 3


def test_before_the_first_promotion_nothing_is_refused(tmp_path):
    registry = Registry(tmp_path, SIGNING)
    assert (registry.refused_promotions(), registry.was_promoted(), registry.newest_promotion()) == (
        [],
        False,
        (None, []),
    )
    with pytest.raises(NoChampionError):
        registry.champion()


def test_with_a_key_a_promotion_without_a_signature_is_refused_by_name_until_it_is_signed(models, framing: Run):
    registry = Registry(models, SIGNING)
    with pytest.raises(ModelFileError, match="None of the 1 promotions is signed with FRAMING_MODEL_KEY"):
        registry.champion()
    [refused] = registry.refused_promotions()
    assert "Promotion 1 (v1, by mira) is refused: promotions/000001.json is not signed" in refused.why
    place = {"data_dir": models.parent, "model_key": KEY}
    assert json.loads(framing("train", "--if-no-champion", "--json", **place).stdout or "null") is None
    signed = framing("sign-models", **place)
    assert signed.stdout.splitlines()[:2] == ["Signed model v1.", "Signed model v2."]
    assert "Signed promotion 1 of v1" in signed.stdout
    assert registry.champion().version == "v1"
    assert (registry.is_signed("v1"), registry.is_signed("v2"), registry.refused_promotions()) == (True, True, [])
    assert framing("doctor", **place).returncode == 0
    again = framing("sign-models", **place)
    assert (again.returncode, again.stdout) == (0, "Nothing is left to sign.\n")


@pytest.mark.parametrize(
    "changes", [{"version": "v2"}, {"by": "tom"}, {"signature": ""}, {"signature": "0" * 64}, {"signature": 5}]
)
def test_a_signed_promotion_that_was_changed_is_refused(models, changes):
    registry = Registry(models, SIGNING)
    registry.sign_promotions()
    registry.promote("v1", by="mira", reason="again")
    changed(models, 2, **changes)
    assert registry.champion().number == 1
    [refused] = registry.refused_promotions()
    assert "has a signature of another key, or was changed" in refused.why
    # Nor does signing what lacks a signature bless it.
    assert registry.sign_promotions() == []
    assert registry.champion().number == 1


def test_after_a_change_of_the_key_everything_is_signed_anew_when_the_operator_says_so(models, framing: Run):
    Registry(models, Trust(KEY[::-1].encode())).sign_promotions()
    Registry(models, Trust(KEY[::-1].encode())).sign("v1")
    place = {"data_dir": models.parent, "model_key": KEY}
    first = framing("sign-models", "--json", **place)
    assert (json.loads(first.stdout)["versions"], json.loads(first.stdout)["promotions"]) == (["v2"], [])
    assert (first.returncode, len(json.loads(first.stdout)["left"])) == (1, 2)
    for command in (("rollback", "--reason", "back"), ("train", "--if-no-champion")):
        refused = framing(*command, **place)
        assert (refused.returncode, "framing sign-models" in " ".join(refused.stderr.split())) == (1, True), command
    second = json.loads(framing("sign-models", "--replace", "--json", **place).stdout)
    assert (second["versions"], len(second["promotions"]), second["left"]) == (["v1"], 1, [])
    assert Registry(models, SIGNING).champion().version == "v1"


def test_nothing_is_signed_without_a_key_and_a_damaged_version_is_not_signed(models, framing: Run):
    assert "set FRAMING_MODEL_KEY" in framing("sign-models", data_dir=models.parent).stderr
    (models / "versions" / "v2" / "scorer.npz").write_bytes(b"x")
    signed = framing("sign-models", data_dir=models.parent, model_key=KEY)
    assert "Model v2 was not signed: The file scorer.npz" in signed.stderr
    assert (Registry(models, SIGNING).is_signed("v1"), Registry(models, SIGNING).has_signature("v2")) == (True, False)


def test_a_promotion_of_a_model_that_is_not_there_stops_no_server(models):
    from fastapi.testclient import TestClient

    from service.app import create_app
    from service.settings import Settings

    changed(models, 1, version="v77")
    with TestClient(create_app(Settings(data_dir=models.parent, worker=False))) as client:
        answer = client.post("/v1/classify", json={"text": "The army moved in."})
        assert answer.status_code == 503
        assert "names a model that does not exist" in answer.json()["detail"]
        assert client.get("/v1/models").status_code == 200
