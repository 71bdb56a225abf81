from pathlib import Path

import pytest

from labels.codebook import codebook_to_toml, read_codebook
from labels.errors import CodebookError

TWO_FRAMES = """
name = "Weather"
version = 3
[[frames]]
key = "sun"
title = "Sun"
definition = "It shines."
[[frames]]
key = "rain"
title = "Rain"
definition = "It rains."
"""


LAST_LINE = 'definition = "It rains."'


def write(folder: Path, text: str) -> Path:
    path = folder / "codebook.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_codebook_has_the_four_frames_with_definitions_and_distinct_colours():
    codebook = read_codebook()
    assert codebook.keys == ("blame_on_leadership", "foreign_hand", "grievance_driven", "militarized_response")
    assert all(frame.definition and frame.include and frame.exclude for frame in codebook.frames)
    assert len({frame.colour for frame in codebook.frames}) == 4


def test_settled_cases_are_numbered_and_belong_to_the_frames_that_they_concern(codebook, tmp_path):
    assert (codebook.version, len(codebook.cases)) == (2, 20)
    numbers = [number for number, _ in codebook.cases_of("grievance_driven")]
    assert numbers == [1, 6, 9, 12, 14, 17, 19]
    assert all(codebook.cases[number - 1] is case for number, case in codebook.cases_of("foreign_hand"))
    assert read_codebook(write(tmp_path, codebook_to_toml(codebook))) == codebook


def test_the_frames_of_another_codebook_stay_in_its_order(tmp_path):
    codebook = read_codebook(write(tmp_path, TWO_FRAMES))
    assert (codebook.name, codebook.version, codebook.keys) == ("Weather", 3, ("sun", "rain"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("version = 3", "version = 0"), "'version' must be a whole number from 1"),
        (("version = 3", "version = true"), "'version' must be a whole number"),
        (('key = "rain"', 'key = "sun"'), "frame 'sun' is defined twice"),
        (('key = "rain"', 'key = "Rain!"'), "frame 2 .* lower-case letters"),
        (('title = "Rain"', "title = 5"), "'title' must be a string"),
        (('title = "Rain"', 'title = "Rain"\ncolour = "red"'), "#rrggbb"),
        (('title = "Rain"', 'title = "Rain"\ninclude = "x"'), "'include' must be a list of strings"),
        (("name = ", "name = = "), "not valid TOML"),
        ((LAST_LINE, f"{LAST_LINE}\n[cases]"), "'cases' must be a list"),
        ((LAST_LINE, f'{LAST_LINE}\n[[cases]]\ntitle = "t"\nframes = ["sun"]'), "case 1: 'rule' must be a string"),
        ((LAST_LINE, f'{LAST_LINE}\n[[cases]]\ntitle = "t"\nrule = "r"'), "case 1: 'frames' must be a list"),
        ((LAST_LINE, f'{LAST_LINE}\n[[cases]]\ntitle = "t"\nrule = "r"\nframes = ["snow"]'), "no frame 'snow'"),
    ],
)
def test_a_faulty_codebook_is_rejected_with_its_faults(tmp_path, change, sentence):
    with pytest.raises(CodebookError, match=sentence):
        read_codebook(write(tmp_path, TWO_FRAMES.replace(*change)))


def test_a_codebook_has_2_to_50_frames(tmp_path):
    head, frame = 'name = "n"\nversion = 1\n', '[[frames]]\nkey = "f{0}"\ntitle = "t"\ndefinition = "d"\n'
    for count, allowed in ((1, False), (2, True), (50, True), (51, False)):
        path = write(tmp_path, head + "".join(frame.format(number) for number in range(count)))
        if allowed:
            assert len(read_codebook(path).frames) == count
        else:
            with pytest.raises(CodebookError, match=f"has {count} frames"):
                read_codebook(path)


def test_a_missing_codebook_is_named_with_its_path(tmp_path):
    with pytest.raises(CodebookError, match=r"no codebook at .*nowhere\.toml"):
        read_codebook(tmp_path / "nowhere.toml")
