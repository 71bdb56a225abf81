import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from labels.archives import MOST_PARTS
from training.errors import ModelFileError, StorageError
from training.registry.storage import storage_at
from training.registry.versions import Registry


@pytest.fixture(params=["folder", "file URL", "s3"])
def location(request, tmp_path):
    if request.param == "s3":
        request.getfixturevalue("s3")
        from tests.support.s3 import new_bucket

        return new_bucket()
    return tmp_path / "place" if request.param == "folder" else f"file://{tmp_path}/place"


def test_a_file_is_read_listed_overwritten_and_deleted(location):
    storage = storage_at(location)
    assert (storage.names("a"), storage.files("a")) == ([], set())
    storage.write("a/b/first", b"1")
    storage.write("a/b/first", b"2")
    storage.write("a/second", b"")
    assert (storage.read("a/b/first"), storage.read("a/second")) == (b"2", b"")
    assert sorted(storage.names("a")) == ["b", "second"]
    assert storage_at(location).files("a") == {"a/b/first", "a/second"}
    storage.delete("a")
    storage.delete("a")
    assert storage.files("a") == set()
    with pytest.raises(FileNotFoundError):
        storage.read("a/second")
    assert storage.unfinished() == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../outside", "a//etc/passwd", "C:\\a", "a\0b"])
def test_a_path_that_leads_outside_the_place_is_neither_written_nor_read_nor_deleted(location, path):
    storage = storage_at(location)
    storage.write("a/first", b"1")
    for action in (
        storage.read,
        storage.names,
        storage.files,
        storage.delete,
        lambda p: storage.write(p, b"2"),
        lambda p: storage.create(p, b"2"),
    ):
        with pytest.raises(StorageError, match="does not stand inside"):
            action(path)
    assert storage.files(".") == {"a/first"}


def test_a_link_in_the_folder_of_models_is_not_followed_to_another_place(tmp_path):
    storage = storage_at(tmp_path / "place")
    storage.write("a/first", b"1")
    (tmp_path / "secret").write_bytes(b"2")
    (tmp_path / "place" / "a" / "way").symlink_to(tmp_path)
    for action in (storage.read, storage.delete, lambda p: storage.write(p, b"3")):
        with pytest.raises(StorageError, match="does not stand inside"):
            action("a/way/secret")
    assert (tmp_path / "secret").read_bytes() == b"2"
    assert storage.files(".") == {"a/first"}


def test_links_to_files_and_folders_are_neither_listed_nor_read_nor_deleted_through(tmp_path):
    place, outside = tmp_path / "place", tmp_path / "outside"
    storage = storage_at(place)
    storage.write("a/first", b"1")
    outside.mkdir()
    (outside / "secret").write_bytes(b"2")
    (place / "a" / "file").symlink_to(outside / "secret")
    (place / "a" / "folder").symlink_to(outside)
    (place / "a" / "inside").symlink_to(place / "a" / "first")
    (place / "a" / "circle").symlink_to(place / "a" / "circle")
    (place / "b").symlink_to(place / "a")
    os.mkfifo(place / "a" / "pipe")
    assert storage.files(".") == storage.files("a") | {"a/first"} == {"a/first"}
    assert (sorted(storage.names("a")), sorted(storage.names(""))) == (["first", "pipe"], ["a"])
    links = ["a/circle", "a/file", "a/folder", "a/inside", "b"]
    assert storage.strangers() == sorted([*links, "a/pipe"])
    for link in [*links, "b/first", "a/folder/secret"]:
        for action in (storage.read, storage.delete, lambda path: storage.write(path, b"3")):
            with pytest.raises(StorageError, match=r"links are not followed|does not stand inside"):
                action(link)
    with pytest.raises(ModelFileError, match="is not a file"):
        storage.read("a/pipe")
    storage.delete("a")
    assert (outside / "secret").read_bytes() == b"2"
    assert not (place / "a").exists()


def test_folders_that_are_deeper_than_any_file_of_models_are_named_and_do_not_stop_the_listing(tmp_path):
    deep = tmp_path.joinpath(*["a"] * 80)
    deep.mkdir(parents=True)
    (deep / "scorer.npz").write_bytes(b"1")
    storage = storage_at(tmp_path)
    storage.write("versions/v1/card.json", b"{}")
    assert storage.files("") == {"versions/v1/card.json"}
    assert storage.strangers() == ["/".join(["a"] * MOST_PARTS)]


def test_a_place_that_is_a_link_itself_is_where_the_operator_put_it(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "place").symlink_to(tmp_path / "disk")
    storage_at(tmp_path / "place").write("a/first", b"1")
    assert storage_at(tmp_path / "place").read("a/first") == b"1"
    assert storage_at(tmp_path / "disk").files("") == {"a/first"}


def test_sweeping_removes_an_old_link_and_nothing_behind_it(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"2")
    storage = storage_at(tmp_path / "place")
    storage.write("a/first", b"1")
    link, folder = tmp_path / "place" / ".unfinished-link", tmp_path / "place" / ".unfinished-folder"
    link.symlink_to(outside)
    folder.mkdir()
    (folder / "way").symlink_to(outside)
    for path in (link, folder):
        os.utime(path, (0, 0), follow_symlinks=False)
    storage.sweep()
    assert not link.is_symlink()
    assert not folder.exists()
    assert (outside / "secret").read_bytes() == b"2"


def test_a_file_above_the_bound_is_not_read_into_memory(location):
    storage = storage_at(location)
    storage.write("a/first", b"12345")
    assert storage.read("a/first", 5) == b"12345"
    with pytest.raises(ModelFileError, match="The file a/first is larger than"):
        storage.read("a/first", 4)


def test_of_many_that_create_the_same_file_the_first_wins_and_its_content_stays(location):
    storage = storage_at(location)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: storage.create("a/first", str(n).encode()), range(16)))
    assert won.count(True) == 1
    assert storage.read("a/first") == str(won.index(True)).encode()
    assert not storage.create("a/first", b"late")


def test_a_registry_behind_a_url_registers_promotes_and_loads(s3, challenger):
    from tests.support.s3 import new_bucket

    url = new_bucket()
    registries = [Registry(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        versions = [card.version for card in pool.map(lambda registry: registry.register(challenger), registries)]
        assert sorted(versions) == ["v1", "v2", "v3", "v4"]
        promotions = list(pool.map(lambda r: r.promote("v2", by="tests", reason="race"), registries))
    assert sorted(promotion.number for promotion in promotions) == [1, 2, 3, 4]
    model, promotion = Registry(url).load_champion()
    assert (model.card.version, promotion.number) == ("v2", 4)
    assert Registry(url).versions() == ["v1", "v2", "v3", "v4"]
    assert Registry(url).unfinished() == []


def test_a_version_whose_writer_was_killed_is_not_there_and_its_number_is_not_given_again(location, challenger):
    registry = Registry(location)
    registry.register(challenger)
    registry.storage.create("versions/v2/pipeline.joblib", b"half of it")
    assert registry.versions() == ["v1"]
    assert registry.unfinished() == ["versions/v2"]
    assert registry.register(challenger).version == "v3"


def test_a_place_that_does_not_answer_is_named_in_the_error(tmp_path, monkeypatch):
    with pytest.raises(StorageError, match="carrier-pigeon"):
        Registry("carrier-pigeon://models").versions()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be used"):
        storage_at(tmp_path / "file").write("a/first", b"1")
