"""REFI-QDA projects in the shapes that QualCoder, MAXQDA, ATLAS.ti, NVivo, Quirkos and Potato write.

The programs do not install here; the files are made by hand after what they write.
"""

import io
import uuid
import zipfile
from pathlib import Path

import pytest

from labels.errors import ExchangeError
from labels.exchange import FORMATS, ExchangedAnnotation
from labels.exchange.options import ReadingOptions
from labels.exchange.refi_qda import read_codebook

CASES = Path(__file__).with_name("cases")
BLAME = "Opposition members told parliament that the interior minister had read three warnings and done nothing."
FOREIGN = "The minister blamed a neighbouring state for the guns that were found in the valley on Friday."
ARMY = "The army answered with helicopters and sealed the valley."
TEXT = f"{BLAME}\n\n{FOREIGN}\n\n{ARMY}"
ANN, BEN = "a1000000-0000-4000-8000-00000000000a", "b2000000-0000-4000-8000-00000000000b"
CODES = {
    "blame_on_leadership": "c1000000-0000-4000-8000-000000000001",
    "Foreign hand": "c1000000-0000-4000-8000-00000000000f",
    "Good quote": "c1000000-0000-4000-8000-000000000003",
}


def code_ref(name, creator=ANN):
    user = f' creatingUser="{creator}"' if creator else ""
    return f'<Coding guid="{uuid.uuid4()}"{user}><CodeRef targetGUID="{CODES.get(name, name)}"/></Coding>'


def selection(start, end, *codings, creator=ANN, name="s", inside=""):
    user = f' creatingUser="{creator}"' if creator else ""
    return (
        f'<PlainTextSelection guid="{uuid.uuid4()}" name="{name}" startPosition="{start}" endPosition="{end}"{user}>'
        f"{inside}{''.join(codings)}</PlainTextSelection>"
    )


def of_text(phrase, *codings, text=TEXT, **more):
    start = text.index(phrase)
    return selection(start, start + len(phrase), *codings, **more)


def project(
    *selections, text=TEXT, origin="QualCoder", codes="", users=(ANN, BEN), sources="", path="s.txt", member=None
):
    people = "".join(
        f'<User guid="{guid}" name="{name}"/>' for guid, name in ((ANN, "Ann"), (BEN, "Ben")) if guid in users
    )
    known = "".join(f'<Code guid="{guid}" name="{name}" isCodable="true"/>' for name, guid in CODES.items())
    source = (
        f'<TextSource guid="{uuid.uuid4()}" name="Courier 1" plainTextPath="internal://{path}" creatingUser="{ANN}">'
    )
    qde = (
        f'<?xml version="1.0" encoding="utf-8"?><Project xmlns="urn:QDA-XML:project:1.0" name="p" origin="{origin}">'
        f"<Users>{people}</Users><CodeBook><Codes>{known}{codes}</Codes></CodeBook>"
        f"<Sources>{source}{''.join(selections)}</TextSource>{sources}</Sources></Project>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("project.qde", qde)
        archive.writestr(member or f"Sources/{path}", text if isinstance(text, bytes) else text.encode())
    return buffer.getvalue()


@pytest.fixture
def read(codebook):
    """Reads a project; returns what was coded as (coder, text, frames), and the reading."""

    def reading(data, **options):
        result = FORMATS["refi-qda"].read(data, codebook, ReadingOptions(**options))
        return [(a.coder, a.text, dict(a.frames)) for a in result.annotations], result

    return reading


@pytest.mark.parametrize(
    ("case", "coded", "set_aside"),
    [
        ("e30", [("e30", {"blame_on_leadership": "present", "foreign_hand": "present"})], []),
        ("e31", [("e31", {"blame_on_leadership": "present"})], []),
        (
            "e33",
            [("e33", {"blame_on_leadership": "present"})],
            ["the code 'Good quote' is not a frame of the codebook (map or ignore it)"],
        ),
    ],
)
def test_a_case_is_read_as_it_was_coded(case, coded, set_aside, read):
    annotations, reading = read((CASES / f"{case}.qdpx").read_bytes())
    assert [(coder, frames) for coder, _, frames in annotations] == coded
    assert {text[:18] + text[-6:] for _, text, _ in annotations} == {"Opposition members them."}
    assert [entry.reason for entry in reading.set_aside] == set_aside


def test_selections_of_the_same_span_are_a_single_annotation_for_each_coder(read):
    annotations, _ = read(
        project(
            of_text(BLAME, code_ref("blame_on_leadership")),
            of_text(BLAME, code_ref("Foreign hand")),
            of_text(BLAME, code_ref("Foreign hand", BEN), creator=BEN),
        )
    )
    assert annotations == [
        ("Ann", BLAME, {"blame_on_leadership": "present", "foreign_hand": "present"}),
        ("Ben", BLAME, {"foreign_hand": "present"}),
    ]


def test_a_phrase_stands_for_its_paragraph_and_phrases_of_a_paragraph_are_a_single_annotation(read):
    phrases = project(
        of_text("three warnings", code_ref("blame_on_leadership")),
        of_text("interior minister", code_ref("Foreign hand")),
        of_text("neighbouring state", code_ref("Foreign hand")),
    )
    assert read(phrases)[0] == [
        ("Ann", BLAME, {"blame_on_leadership": "present", "foreign_hand": "present"}),
        ("Ann", FOREIGN, {"foreign_hand": "present"}),
    ]
    assert [text for _, text, _ in read(phrases, unit="selection")[0]] == [
        "three warnings",
        "interior minister",
        "neighbouring state",
    ]


def test_a_selection_of_several_paragraphs_is_about_each_of_them(read):
    data = project(of_text(TEXT[TEXT.index("done nothing") :], code_ref("Foreign hand")))
    assert [text for _, text, _ in read(data)[0]] == [BLAME, FOREIGN, ARMY]


def test_a_selection_that_ends_in_the_gap_between_paragraphs_is_about_either_of_them(read):
    data = project(selection(0, len(BLAME) + 2, code_ref("Foreign hand")))
    assert [text for _, text, _ in read(data)[0]] == [BLAME]


def test_a_selection_with_a_memo_and_no_coding_is_set_aside_and_codes_nothing(read):
    memo = "<Description>Ask the others about this one.</Description>"
    annotations, reading = read(
        project(of_text(BLAME, inside=memo), of_text(ARMY), of_text(FOREIGN, code_ref("Foreign hand")))
    )
    assert [text for _, text, _ in annotations] == [FOREIGN]
    assert [(entry.where, entry.reason) for entry in reading.set_aside] == [
        (f"source 'Courier 1', characters 0 to {len(BLAME)}", "the selection has no coding, at most a memo"),
        (
            f"source 'Courier 1', characters {TEXT.index(ARMY)} to {len(TEXT)}",
            "the selection has no coding, at most a memo",
        ),
    ]


def test_a_selection_without_codings_means_no_frame_only_if_the_caller_says_so(read):
    data = project(of_text(BLAME), of_text(FOREIGN), of_text("neighbouring", code_ref("Foreign hand")))
    assert read(data, empty_means_none=True)[0] == [("Ann", BLAME, {}), ("Ann", FOREIGN, {"foreign_hand": "present"})]


def test_a_note_beside_a_coding_stays(read):
    data = project(of_text(BLAME, code_ref("Foreign hand"), inside="<Description>Unsure.</Description>"))
    assert [annotation.note for annotation in read(data)[1].annotations] == ["Unsure."]


def test_codes_that_are_no_frames_are_listed_mapped_or_ignored(read):
    data = project(of_text(BLAME, code_ref("Good quote")), of_text(FOREIGN, code_ref("Foreign hand")))
    annotations, reading = read(data)
    assert annotations == [("Ann", FOREIGN, {"foreign_hand": "present"})]
    assert [entry.reason for entry in reading.set_aside] == [
        "the code 'Good quote' is not a frame of the codebook (map or ignore it)"
    ]
    assert read(data, frames={"Good quote": "grievance_driven"})[0][0] == (
        "Ann",
        BLAME,
        {"grievance_driven": "present"},
    )
    assert read(data, frames={"Good quote": "none"})[0][0] == ("Ann", BLAME, {})
    ignored = read(data, ignored=frozenset({"good quote"}))[1]
    assert (ignored.set_aside, dict(ignored.ignored)) == ([], {"Good quote": 1})


def test_a_frame_and_the_code_that_there_is_none_are_set_aside_together(read):
    data = project(of_text(BLAME, code_ref("Good quote"), code_ref("Foreign hand")))
    annotations, reading = read(data, frames={"Good quote": "none"})
    assert annotations == []
    assert reading.set_aside[0].reason == "it has a frame and the code that says that there is none"


def test_stances_below_a_frame_count_and_two_of_them_are_none(read):
    below = (
        f'<Code guid="{ANN}" name="Militarized response"><Code guid="d1" name="Contested"/><Code guid="d2" name="reported"/>'
        '<Code guid="d3" name="helicopters"/></Code><Code guid="d4" name="Foreign hand &gt; contested"/>'
    )
    data = project(
        of_text(ARMY, code_ref(ANN), code_ref("d1")),
        of_text(FOREIGN, code_ref("d1"), code_ref("d2")),
        of_text(BLAME, code_ref("d4")),
        codes=below,
    )
    assert read(data)[0] == [
        ("Ann", ARMY, {"militarized_response": "contested"}),
        ("Ann", FOREIGN, {"militarized_response": "present"}),
        ("Ann", BLAME, {"foreign_hand": "contested"}),
    ]


def test_another_code_below_a_frame_leaves_open_whether_the_frame_is_present(read):
    below = f'<Code guid="{BEN}" name="Militarized response"><Code guid="d3" name="helicopters"/></Code>'
    annotations, reading = read(
        project(of_text(ARMY, code_ref("d3"), code_ref("Foreign hand")), codes=below),
    )
    assert annotations == [("Ann", ARMY, {"foreign_hand": "present"})]
    assert reading.set_aside[0].reason == (
        "the code 'Militarized response > helicopters' is not a frame of the codebook (map or ignore it), so whether "
        "'militarized_response' is present there is left open"
    )
    assert reading.annotations[0].covered == {"blame_on_leadership", "foreign_hand", "grievance_driven"}


@pytest.mark.parametrize("change", [str.upper, lambda guid: "{" + guid.upper() + "}"])
def test_identifiers_differ_in_case_and_braces_and_are_the_same(change, read):
    data = project(
        selection(
            0,
            len(BLAME),
            f'<Coding guid="x" creatingUser="{change(BEN)}"><CodeRef targetGUID="{change(CODES["Foreign hand"])}"/></Coding>',
        )
    )
    assert read(data)[0] == [("Ben", BLAME, {"foreign_hand": "present"})]


@pytest.mark.parametrize(
    ("origin", "name", "shift"),
    [("ATLAS.ti 24", "s", 0), ("Some tool", "text", 0), ("QualCoder", "text", 1), ("MAXQDA 26", "s", 1)],
)
def test_line_ends_of_two_characters_count_as_a_single_character_where_the_program_counts_so(origin, name, shift, read):
    lines = [BLAME, *(f"Line {number} of the report." for number in range(20)), FOREIGN]
    text = "\r\n".join(lines)
    counted = text if shift else text.replace("\r\n", "\n")
    parts = [
        of_text(FOREIGN, code_ref("Foreign hand"), text=counted, name=FOREIGN if name == "text" else name),
        of_text("Line 7 of the report.", code_ref("blame_on_leadership"), text=counted, name="Line 7 of the report."),
    ]
    for unit in ("paragraph", "selection"):
        annotations, _ = read(project(*parts, text=text, origin=origin), unit=unit)
        assert [text for _, text, _ in annotations] == [FOREIGN, "Line 7 of the report."]


@pytest.mark.parametrize("counts", ["code points", "UTF-16"])
def test_an_emoji_counts_once_or_twice_as_the_program_counts(counts, read):
    text = f"\U0001f6a8\U0001f6a8 {BLAME}\n\n\U0001f4e3 Then: {FOREIGN}\n\nThe end of the report."
    phrase = "neighbouring state"
    start, end = text.index(phrase), text.index(phrase) + len(phrase)
    if counts == "UTF-16":
        start, end = (len(text[:place].encode("utf-16-le")) // 2 for place in (start, end))
    data = project(selection(start, end, code_ref("Foreign hand"), name=phrase), text=text)
    assert [text for _, text, _ in read(data, unit="selection")[0]] == [phrase]


@pytest.mark.parametrize(("origin", "name"), [("Potato", "s"), ("Potato", "text"), ("Another tool", "text")])
def test_the_end_may_be_the_last_character(origin, name, read):
    phrases = ("three warnings", "a neighbouring state", BLAME)
    parts = []
    for phrase in phrases:
        start = TEXT.index(phrase)
        named = phrase if name == "text" else name
        parts.append(selection(start, start + len(phrase) - 1, code_ref("Foreign hand"), name=named))
    data = project(*parts, origin=origin)
    assert [text for _, text, _ in read(data, unit="selection")[0]] == list(phrases)


def test_in_doubt_positions_are_read_as_the_standard_says(read):
    data = project(of_text("three warning", code_ref("Foreign hand")), origin="Some tool")
    assert [text for _, text, _ in read(data, unit="selection")[0]] == ["three warning"]


def test_codings_of_a_whole_text_are_read_where_it_is_a_single_paragraph(read):
    data = project(code_ref("Foreign hand", creator=None), text=FOREIGN, origin="Potato", users=(BEN,))
    assert read(data)[0] == [("Ben", FOREIGN, {"foreign_hand": "present"})]
    several = project(code_ref("Foreign hand", creator=None), origin="Potato")
    annotations, reading = read(several)
    assert (annotations, reading.set_aside[0].where) == ([], "source 'Courier 1'")
    assert "the unit 'selection' takes the text" in reading.set_aside[0].reason
    assert read(several, unit="selection", coder="mira")[0] == [("mira", TEXT, {"foreign_hand": "present"})]


def test_an_unnamed_coder_is_the_only_user_of_a_project_and_else_stays_unnamed(read):
    part = of_text(BLAME, code_ref("Foreign hand", creator=None), creator=None)
    assert read(project(part, users=(ANN,)))[0][0][0] == "Ann"
    assert read(project(part))[0][0][0] == ""
    assert read(project(part), coder="mira")[0][0][0] == "mira"


def test_pictures_sound_and_pages_are_named_and_the_text_of_a_pdf_is_read(read):
    start = FOREIGN.index("state")
    pdf = (
        f'<PDFSource guid="p" name="report.pdf" path="internal://r.pdf"><PDFSelection guid="q">{code_ref("Foreign hand")}'
        '</PDFSelection><Representation guid="r" plainTextPath="internal://s.txt">'
        f"{of_text('neighbouring', code_ref('Foreign hand'))}</Representation></PDFSource>"
    )
    picture = (
        f'<PictureSource guid="g" name="photo.jpg"><PictureSelection guid="h">{code_ref("Foreign hand")}'
        '</PictureSelection></PictureSource><AudioSource guid="i" name="talk.mp3"/>'
    )
    assert start
    annotations, reading = read(project(sources=pdf + picture))
    assert annotations == [("Ann", FOREIGN, {"foreign_hand": "present"})]
    assert [(entry.where, entry.reason) for entry in reading.set_aside] == [
        ("source 'report.pdf'", "codings of pages of a PDF cannot be read (1)"),
        ("source 'photo.jpg'", "codings of a picture cannot be read (1)"),
        ("source 'talk.mp3'", "sound cannot be read"),
    ]


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("S.TXT", "sources/s.txt"),
        ("Sources/a b.txt", "Sources/a b.txt"),
        ("a%20b.txt", "sources/a b.txt"),
        ("s.txt", "My project\\sources\\s.txt"),
    ],
)
def test_the_text_is_read_however_its_path_is_written(path, member, read):
    data = project(of_text(BLAME, code_ref("Foreign hand")), path=path, member=member)
    assert [text for _, text, _ in read(data)[0]] == [BLAME]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_text_may_begin_with_a_byte_order_mark(encoding, read):
    data = project(of_text(FOREIGN, code_ref("Foreign hand")), text=TEXT.encode(encoding))
    assert [text for _, text, _ in read(data)[0]] == [FOREIGN]


def test_a_text_within_the_project_file_and_another_version_of_the_standard_are_read(read):
    data = project(of_text(FOREIGN, code_ref("Foreign hand")))
    archive = zipfile.ZipFile(io.BytesIO(data))
    qde = archive.read("project.qde").decode().replace("project:1.0", "project:2.0")
    qde = qde.replace(f'creatingUser="{ANN}">', f'creatingUser="{ANN}"><PlainTextContent>{TEXT}</PlainTextContent>', 1)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as changed:
        changed.writestr("Project/Project.QDE", qde)
    assert [text for _, text, _ in read(buffer.getvalue())[0]] == [FOREIGN]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (project(selection(5, 5000, code_ref("Foreign hand"))), "the selection from 5 to 5000 lies outside the text"),
        (project(selection("x", 5, code_ref("Foreign hand"))), "a selection has no position"),
        (project(selection(len(BLAME), len(BLAME) + 2, code_ref("Foreign hand"))), "lies outside the text"),
        (project(of_text(BLAME, code_ref("Foreign hand")), member="sources/other.txt"), "its text 's.txt' is not in"),
        (project(of_text(BLAME, code_ref("Foreign hand")), member="../s.txt"), "a name that is not plain"),
        (
            project(of_text("x" * 200_000, code_ref("Foreign hand"), text="x" * 200_000), text="x" * 200_000),
            "longer than",
        ),
    ],
)
def test_what_cannot_be_read_refuses_the_file_by_name(data, fault, read):
    with pytest.raises(ExchangeError, match="The REFI-QDA project cannot be used") as refusal:
        read(data, unit="selection")
    assert fault in str(refusal.value)


def test_many_long_selections_are_refused_before_they_fill_the_memory(read):
    text = "\n\n".join(f"{number} {'word ' * 15_000}" for number in range(700))
    data = project(selection(0, len(text), code_ref("Foreign hand")), text=text)
    with pytest.raises(ExchangeError, match="are longer than 100,000,000 characters together"):
        read(data)


ODD_TEXTS = (
    "= 1+1 is not what the army said on Friday.",
    "Two lines.\u2028The second of them.\u0085And a third.",
    "Line one of it.\r\nLine two of it.\n\nA second paragraph in it.",
    "Tab\there, emoji \U0001f469\u200d\U0001f469\u200d\U0001f467 and \u202eright\u202c.",
    "A\x07B bell sounded at night.",
    " leading space and trailing ",
    "\ufeffA mark in front.",
)


def exchanged(text, number, coder="mira", frames=None, **more):
    origin = {"article_id": "a" * 32, "paragraph": number} if number % 2 else {}
    return ExchangedAnnotation(coder, text, "Courier", frames or {}, **origin, **more)


def test_our_own_project_comes_back_as_it_was(codebook):
    annotations = [exchanged(text, number) for number, text in enumerate(ODD_TEXTS)]
    annotations += [
        exchanged(ODD_TEXTS[1], 1, "ben", {"foreign_hand": "contested", "grievance_driven": "present"}, note="a\nb: c"),
        exchanged(ODD_TEXTS[1], 1, "ben", {"foreign_hand": "reported"}, role="adjudicator"),
        exchanged(ODD_TEXTS[3], 3, "ben", {"foreign_hand": "present"}, selection="random", inclusion_probability=0.25),
        exchanged(ODD_TEXTS[4], 4, "ben", {}, codebook_version=1, covered=frozenset({"foreign_hand"})),
    ]
    reading = FORMATS["refi-qda"].read(FORMATS["refi-qda"].write(annotations, codebook), codebook)
    assert reading.set_aside == []
    assert sorted(reading.annotations, key=repr) == sorted(annotations, key=repr)


def test_what_another_coder_adds_to_our_project_is_about_our_paragraph(codebook):
    annotation = exchanged("A first sentence of it.\n\nA second one.", 1, frames={"foreign_hand": "present"}, note="n")
    data = FORMATS["refi-qda"].write([annotation], codebook)
    archive = zipfile.ZipFile(io.BytesIO(data))
    code = next(line for line in archive.read("project.qde").decode().splitlines() if "grievance_driven" in line)
    added = selection(2, 7, code_ref(code.split('guid="')[1][:36], BEN.upper()), creator=BEN)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name).decode()
            content = content.replace("</TextSource>", f"{added}</TextSource>")
            content = content.replace("</Users>", f'<User guid="{BEN}" name="Ben"/></Users>')
            changed.writestr(name, content.replace('origin="media-framing"', 'origin="MAXQDA 26"'))
    own, new = FORMATS["refi-qda"].read(buffer.getvalue(), codebook).annotations
    assert own == annotation
    assert (new.coder, new.text, new.article_id, new.paragraph, new.source, new.note, dict(new.frames)) == (
        *("Ben", annotation.text, annotation.article_id, 1, "Courier", ""),
        {"grievance_driven": "present"},
    )


def test_a_selection_of_ours_without_a_coding_says_no_frame_as_in_files_of_earlier_releases(read):
    ours = '<Description>source: "Courier"\nselection: "chosen"</Description>'
    assert read(project(of_text(BLAME, inside=ours)))[0] == [("Ann", BLAME, {})]


def test_a_codebook_of_another_program_may_have_folders_opacity_and_other_scripts():
    codes = (
        '<Code guid="1" name="Frames" isCodable="false"><Code guid="2" name="Foreign hand" isCodable="true" '
        'color="#FF1D6FB8"/><Code guid="3" name="Обида" isCodable="true" color="0F7A55"/></Code>'
        '<Code guid="4" name="Blame" isCodable="true"><Code guid="5" name="contested" isCodable="true"/></Code>'
    )
    data = f'<CodeBook xmlns="urn:QDA-XML:codebook:1.0"><Codes>{codes}</Codes></CodeBook>'.encode()
    frames = read_codebook(data, "own").frames
    assert [(frame.key, frame.title, frame.colour) for frame in frames] == [
        ("foreign_hand", "Foreign hand", "#1D6FB8"),
        ("frame_2", "Обида", "#0F7A55"),
        ("blame", "Blame", None),
    ]


def test_another_program_that_renames_our_code_leaves_it_the_same_frame(codebook):
    annotation = exchanged(ARMY, 1, frames={"militarized_response": "present"})
    archive = zipfile.ZipFile(io.BytesIO(FORMATS["refi-qda"].write([annotation], codebook)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as changed:
        for name in archive.namelist():
            renamed = archive.read(name).decode().replace('name="militarized_response"', 'name="Army&apos;s answer"')
            changed.writestr(name, renamed)
    assert FORMATS["refi-qda"].read(buffer.getvalue(), codebook).annotations == [annotation]
