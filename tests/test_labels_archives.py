"""Which members of an archive are taken: properties over names that hypothesis makes, and real zip and tar files."""

import io
import os
import stat
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.archives import Limits, place_inside, plain_name, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError
from labels.files.packed import unpacked

# Parts of which names that leave a folder are made, beside ordinary ones.
PARTS = st.sampled_from(["..", ".", "", "C:", "models", "a", "A", "é", "é", "con", "~", "a b", "\x00", "\n", "etc"])
NAMES = st.builds(
    lambda start, parts, join: start + join.join(parts),
    st.sampled_from(["", "", "/", "\\", "./", "C:\\", "//host/share/", "\\\\host\\share\\"]),
    st.lists(PARTS | st.text(max_size=8), min_size=1, max_size=5),
    st.sampled_from(["/", "\\"]),
)


def zip_of(*members, compression=zipfile.ZIP_DEFLATED):
    """Returns an open zip file; a member is its name, or its `ZipInfo`, and its content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return zipfile.ZipFile(buffer)


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    buffer.seek(0)
    return tarfile.open(fileobj=buffer)


@settings(deadline=None)
@given(NAMES)
def test_a_name_that_is_taken_is_a_file_below_the_folder(name):
    try:
        plain = plain_name(name)
    except ArchiveError:
        return
    root = Path("/srv/data")
    place = Path(os.path.normpath(root / plain))
    assert root in place.parents
    assert plain_name(plain) == plain
    assert not {"..", ".", ""} & set(plain.split("/"))


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[a-z0-9é ]{1,8}", fullmatch=True), min_size=1, max_size=4), st.sampled_from(["", "./"]))
def test_a_plain_name_is_taken_as_it_is(parts, start):
    assert plain_name(start + "/".join(parts)) == "/".join(parts)
    assert plain_name(start + "\\".join(parts)) == "/".join(parts)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=20)), min_size=1, max_size=4), st.sampled_from(["zip", "tar"]))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_unpacked_of_any_archive_stays_below_the_folder(members, kind):
    try:
        archive = zip_of(*members) if kind == "zip" else tar_of(*members)
    except (ValueError, IndexError, tarfile.TarError):
        return  # no archive can be made with these names
    with TemporaryDirectory() as outside:
        root = Path(outside) / "root"
        root.mkdir()
        try:
            taken = safe_members(archive, root)
        except ArchiveError:
            return
        for member in taken:
            place = place_inside(root, member.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            assert not place.exists()
            place.write_bytes(member.read())
        assert os.listdir(outside) == ["root"]
        written = sorted(path.read_bytes() for path in root.rglob("*") if path.is_file())
        assert written == sorted(member.read() for member in taken)


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400), st.sampled_from(["zip", "tar"]))
def test_a_damaged_archive_is_read_or_refused_with_the_errors_that_callers_expect(noise, place, kind):
    whole = zip_of(("a/b.txt", b"one two three"), ("c.txt", b"four")) if kind == "zip" else tar_of(("b.txt", b"one"))
    content = bytearray((whole.fp if kind == "zip" else whole.fileobj).getvalue())
    content[place : place + len(noise)] = noise
    with suppress(ArchiveError, *UNREADABLE_ARCHIVE):
        file = io.BytesIO(content)
        for member in safe_members(zipfile.ZipFile(file) if kind == "zip" else tarfile.TarFile(fileobj=file)):
            member.read()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("models//etc/passwd", "not plain"),
        ("models/../../outside", "not plain"),
        ("..\\outside", "not plain"),
        ("C:\\Windows\\a.txt", "absolute"),
        ("C:a.txt", "absolute"),
        ("\\\\host\\share\\a.txt", "absolute"),
        ("a/./b", "not plain"),
        ("a\nb", "not plain text"),
        ("x" * 300, "too long"),
    ],
)
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_member_that_would_leave_its_folder_is_refused_by_name(make, name, reason):
    with pytest.raises(ArchiveError, match=reason):
        safe_members(make(("good.txt", b"1"), (name, b"2")))


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_name_of_thousands_of_folders_is_refused_before_it_takes_memory(make):
    assert safe_members(make(("a/" * 31 + "b.txt", b"text")))
    with pytest.raises(ArchiveError, match=r"'a/a/a/.*…' stands more than 31 folders deep"):
        safe_members(make(("a/" * 32_000 + "b.txt", b"text")))


def test_a_member_without_a_name_is_refused():
    archive = zip_of(("x", b"1"))
    archive.infolist()[0].filename = ""
    with pytest.raises(ArchiveError, match="not plain"):
        safe_members(archive)


def test_a_name_that_hides_behind_a_nul_is_refused():
    archive = zip_of(("good_txt_x", b"1"))
    archive.infolist()[0].orig_filename = "good.txt\0x"
    with pytest.raises(ArchiveError, match="not plain text"):
        safe_members(archive)


def test_a_link_in_the_folder_that_leads_outside_is_not_followed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "way").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    for name in ("way/a.txt", "circle/a.txt", "way"):
        with pytest.raises(ArchiveError, match=r"outside the folder|cannot be the name"):
            safe_members(zip_of((name, b"1")), root)
    assert [member.name for member in safe_members(zip_of(("a.txt", b"1")), root)] == ["a.txt"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_file_are_refused(kind):
    info = zipfile.ZipInfo("way")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(ArchiveError, match="'way' is a link or a device"):
        safe_members(zip_of((info, b"/etc/passwd")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_file_are_refused(kind):
    info = tarfile.TarInfo("way")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(ArchiveError, match="'way' is a link or a device"):
        safe_members(tar_of((info, b"")))


@pytest.mark.parametrize("names", [("a.txt", "a.txt"), ("a.txt", "A.TXT"), ("é", "é"), ("a", "a/b"), ("a/b", "a")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_a_disk_may_take_for_the_same_are_refused(names):
    with pytest.raises(ArchiveError, match="twice"):
        safe_members(zip_of(*((name, b"1") for name in names)))


def test_bombs_are_refused_before_they_are_unpacked():
    zeros = bytes(3 * 2**20)
    with pytest.raises(ArchiveError, match="larger than 4 MiB"):
        safe_members(zip_of(("a", zeros), ("b", zeros)), limits=Limits(size=4 * 2**20, ratio=10_000))
    with pytest.raises(ArchiveError, match="packed more than 200 times smaller"):
        safe_members(zip_of(("a", zeros)))
    with pytest.raises(ArchiveError, match="more than 2 members"):
        safe_members(zip_of(*((str(number), b"") for number in range(3))), limits=Limits(members=2))
    with pytest.raises(ArchiveError, match="larger than 4 MiB"):
        safe_members(tar_of(("a", zeros), ("b", zeros)), limits=Limits(size=4 * 2**20))


def test_a_member_that_is_longer_or_shorter_than_the_archive_says_is_refused():
    archive = zip_of(("a", b"one two three"), compression=zipfile.ZIP_STORED)
    for size in (5, 50):
        archive.infolist()[0].file_size = size
        (member,) = safe_members(archive)
        with pytest.raises(ArchiveError, match=r"damaged or encrypted|not as long"):
            member.read()


def test_folders_are_left_out_and_what_the_system_calls_its_folder_is_no_fault():
    folder = tarfile.TarInfo("./")
    folder.type = tarfile.DIRTYPE
    assert [member.name for member in safe_members(tar_of((folder, b""), ("./a.txt", b"1")))] == ["a.txt"]
    assert [m.name for m in safe_members(zip_of(("sources/", b""), ("sources\\a.txt", b"1")))] == ["sources/a.txt"]


def test_an_upload_of_very_many_files_is_refused_before_any_is_read():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.txt", "")
    with pytest.raises(ArchiveError, match="more than 1000 members"):
        unpacked("articles.zip", packed.getvalue(), 2**20)
