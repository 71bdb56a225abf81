"""Pages, documents and files of annotations that are made to take time or memory: bounded, ended, refused in words."""

import http.client
import io
import json
import operator
import re
import signal
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

import labels.exchange
from labels.duplicates import sketch_article
from labels.errors import ArticleError, ExchangeError, FileError
from labels.exchange import FORMATS, read_apart
from labels.exchange.options import ReadingOptions
from labels.files.documents import read_document
from labels.files.extraction_process import Extraction, Patience
from labels.normalise import normalise_with_offsets
from labels.paragraphs import split_html, split_text
from tests.support.doubling import assert_time_doubles
from tests.support.length import FULL
from tests.support.packed import word_of, zip_of
from tests.support.pdf import pdf_of
from tests.support.procfs import children, command_of
from tests.support.servers import running_server
from tests.support.waiting import wait_until

SENTENCE = "The army blamed foreign envoys for the attack on Monday, and the minister agreed. "
PARAGRAPH = f"<p>{SENTENCE}</p>"


# -- bounds on a page -------------------------------------------------------------------------------------------------


def with_attributes(count, tag="p"):
    attributes = " ".join(f"a{number}='v'" for number in range(count))
    return f"<{tag} {attributes}>{SENTENCE}</{tag}>{PARAGRAPH}"


@pytest.mark.parametrize("tag", ["p", "div", "img", "a", "html", "x-y", "svg", "td"])
def test_an_element_with_thousands_of_attributes_is_refused_in_no_time(tag):
    start = time.process_time()
    with pytest.raises(ArticleError, match="more than 256 attributes") as error:
        split_html(with_attributes(50_000, tag))
    assert error.value.field == "html"
    assert time.process_time() - start < 1


def test_an_element_with_as_many_attributes_as_pages_have_is_read():
    assert [paragraph.text for paragraph in split_html(with_attributes(200)).paragraphs] == [SENTENCE.strip()] * 2


@pytest.mark.parametrize("tag", ["div", "b", "table", "blockquote", "font", "x-y"])
def test_what_stands_too_deep_is_refused_and_never_left_out_without_a_word(tag):
    deep, flat = 5000, 60
    with pytest.raises(ArticleError, match="240 levels deep"):
        split_html(f"<{tag}>" * deep + PARAGRAPH * 3)
    article = split_html(f"<{tag}>" * flat + "<div>" + PARAGRAPH * 3)
    assert len(article.paragraphs) == 3


def test_an_article_is_found_beside_a_menu_and_a_list_of_thousands():
    countries = "<select>" + "".join(f"<option>Country {n}" for n in range(3000)) + "</select>"
    menu = "<nav>" + "".join(f"<a href='/{n}'>Section {n}</a>" for n in range(3000)) + "</nav>"
    page = f"<html><body>{menu}<div><article>{PARAGRAPH * 4}</article><form>{countries}</form></div></body></html>"
    article = split_html(page)
    assert [paragraph.text for paragraph in article.paragraphs] == [SENTENCE.strip()] * 4


# -- twice the input, twice the time ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """A text that repeats a piece `count` times."""

    piece: str
    before: str = ""
    after: str = ""

    def of(self, characters):
        return self.before + self.piece * (characters // len(self.piece)) + self.after


PAGES = {
    "paragraphs": Shape(PARAGRAPH),
    "attributes of many elements": Shape("<p " + " ".join(f"a{n}" for n in range(200)) + f">{SENTENCE}</p>"),
    "nesting": Shape("<div>" * 200 + SENTENCE + "</div>" * 200),
    "unclosed paragraphs": Shape(f"<p>{SENTENCE}"),
    "unclosed items": Shape("<li>a"),
    "entities": Shape("&amp;", "<p>"),
    "unknown entities": Shape("&bogus;", "<p>"),
    "comments": Shape("word <!-- a -->", "<p>", "</p>"),
    "open comments": Shape("<!--", PARAGRAPH),
    "cells of a row": Shape("<td>a</td>", "<table><tr>", "</tr></table>"),
    "rows": Shape("<tr><td>a</td><td>b</td></tr>", "<table>", "</table>"),
    "tables": Shape(f"<table><tr><td>{SENTENCE}</td></tr></table>"),
    "links of a paragraph": Shape("<a href='/a'>word</a> ", "<p>", "</p>"),
    "links of a list": Shape("<li><a href='/a'>word</a></li> ", "<ul>", "</ul>"),
    "blocks of links": Shape(f"<a href='/a'>{SENTENCE}</a>"),
    "words in italics": Shape("<em>word</em> ", "<p>", "</p>"),
    "notes": Shape("a<sup>1</sup>", "<p>", "</p>"),
    "line breaks": Shape(f"{SENTENCE}<br><br>", "<div>", "</div>"),
    "text behind elements": Shape(f"<b></b>{SENTENCE}", "<div>", "</div>"),
    "end tags": Shape("</div>", PARAGRAPH),
    "misnested": Shape("<a><p>a</a></p>"),
    "headings": Shape(f"<h2>Road closed</h2>{PARAGRAPH}"),
    "metadata": Shape('[{"@type":"Article"},', "<script type='application/ld+json'>", "</script>" + PARAGRAPH),
}
FIELDS = "Title: a\nAuthor: b\nPublication date: c\n"
TEXTS = {
    "sentences": Shape(SENTENCE),
    "lines": Shape(f"{SENTENCE}\n"),
    "wrapped lines": Shape("the army blamed foreign envoys for\nthe attack "),
    "hyphens": Shape("inter-\nnational "),
    "quoted lines": Shape(f"> {SENTENCE}\n"),
    "page numbers": Shape("the army went\n12\nto the hills\n"),
    "running heads": Shape(f"The Daily Post 12\n{SENTENCE}\n\n"),
    "field lines": Shape("Title: a\nAuthor: b\nPublication date: c\n"),
    "documents": Shape("1 of 2 DOCUMENTS\n"),
    "newspapers": Shape(f"LENGTH: 200 words\nBYLINE: A\nBODY:\n{SENTENCE}\n"),
    "graphics": Shape("Graphic\n\nphoto: a b\n"),
    "headings in Markdown": Shape("## Road closed\n\n"),
    "links in Markdown": Shape("[a](http://b.example) "),
    "table in Markdown": Shape("a | b | c\n"),
    "list": Shape("- an item of a list\n"),
    "open quotation marks": Shape("“He said it. "),
    "related": Shape("More stories\n\nA headline here\n\n"),
    "spaces in a field": Shape(" ", f"{FIELDS}Publication title: Post", f"a\n\nFull text: {SENTENCE}"),
    "lines of a field": Shape("b;\n", f"{FIELDS}Subject: a;\n", f"\nFull text: {SENTENCE}"),
    "lines of a headline": Shape("HEADLINE: a\nb c\n", "", f"LENGTH: 200 words\nBODY:\n{SENTENCE}"),
    "a heading of a single word": Shape("_", "", f"a\n\n{SENTENCE}"),
    "combining marks": Shape("e\u0301\u0301\u0301"),
    "no spaces": Shape("軍隊は。"),
}
# Shapes that were quadratic, and one of each kind; `make test-full` takes all.
_SHORT_PAGES = (
    "paragraphs",
    "attributes of many elements",
    "cells of a row",
    "links of a paragraph",
    "notes",
    "comments",
)
_SHORT_TEXTS = (
    *("wrapped lines", "graphics", "documents", "spaces in a field", "lines of a field", "lines of a headline"),
    "a heading of a single word",
)


@pytest.mark.parametrize("name", PAGES if FULL else _SHORT_PAGES)
def test_a_page_of_twice_the_size_takes_twice_the_time(name):
    pages = [f"<html><body><article>{PAGES[name].of(size)}</article></body></html>" for size in (60_000, 120_000)]
    assert_time_doubles(split_html, *pages)


@pytest.mark.parametrize("name", TEXTS if FULL else _SHORT_TEXTS)
def test_a_text_of_twice_the_size_takes_twice_the_time(name):
    texts = [TEXTS[name].of(size) for size in (60_000, 120_000)]
    for function in (split_text, normalise_with_offsets, sketch_article):
        assert_time_doubles(function, *texts)


def pdf_with(stream, more=0):
    """A PDF whose page shows a stream, beside objects that nothing uses."""
    pdf = pdf_of([SENTENCE])
    place = pdf.index(b" Tj")
    return pdf[:place] + b" Tj " + stream + pdf[place + 3 :] + b"\n% " + b"1 0 obj << >> endobj " * more


def word_with(body):
    """A Word document with this body."""
    with zipfile.ZipFile(io.BytesIO(word_of(SENTENCE))) as archive:
        files = {member.filename: archive.read(member) for member in archive.infolist()}
    document = files["word/document.xml"].decode()
    files["word/document.xml"] = document.replace("<w:sectPr", f"{body}<w:sectPr", 1)
    return zip_of(files)


WORD = f"<w:p><w:r><w:t>{SENTENCE}</w:t></w:r></w:p>"
TABLE = "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/></w:tblGrid>{}</w:tbl>"
GOES_ON = "<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr>"
BEGINS = f"<w:tr><w:tc><w:tcPr><w:vMerge w:val='restart'/></w:tcPr>{WORD}</w:tc></w:tr>"
DOCUMENTS = {
    "a cell over many rows": (".docx", lambda count: word_with(TABLE.format(BEGINS + GOES_ON * count))),
    "cells": (".docx", lambda count: word_with(TABLE.format(f"<w:tr>{f'<w:tc>{WORD}</w:tc>' * count}</w:tr>"))),
    "runs": (".docx", lambda count: word_with(f"<w:p>{'<w:r><w:t>army </w:t></w:r>' * count}</w:p>")),
    "tables": (".docx", lambda count: word_with((TABLE.format(f"<w:tr><w:tc>{WORD}</w:tc></w:tr>") + WORD) * count)),
    "pages": (".pdf", lambda count: pdf_of(*[[SENTENCE]] * count)),
    "lines": (".pdf", lambda count: pdf_of([SENTENCE] * count)),
    "letters": (".pdf", lambda count: pdf_with(b"(a) Tj " * count)),
    "objects": (".pdf", lambda count: pdf_with(b"", more=10 * count)),
    "places": (".pdf", lambda count: pdf_with(b"1 0 0 1 40 700 Tm (army) Tj " * count)),
}


@pytest.mark.parametrize("name", DOCUMENTS if FULL else ["a cell over many rows", "pages", "letters"])
def test_a_document_of_twice_the_size_takes_twice_the_time(name):
    suffix, made = DOCUMENTS[name]
    read_document(suffix, made(1))
    assert_time_doubles(lambda content: read_document(suffix, content), made(500), made(1000))


def test_a_cell_over_several_rows_is_read_once_and_the_cells_beside_it_too():
    beside = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    rows = (
        BEGINS.replace("</w:tr>", beside.format("one") + "</w:tr>"),
        GOES_ON.replace("</w:tr>", beside.format("two") + "</w:tr>"),
    )
    text = read_document(".docx", word_with(TABLE.format("".join(rows)))).text
    assert text.split("\n\n") == [SENTENCE.strip(), SENTENCE.strip(), "one", "two"]


# -- the process that can be ended ------------------------------------------------------------------------------------


class NobodyWaitsError(Exception):
    """What a caller raises once its client has left."""


@pytest.fixture
def extraction():
    extraction = Extraction()
    yield extraction
    extraction.close()


def processes(extraction):
    return [process._process for process in (*extraction._idle, *extraction._busy)]


def test_work_that_nobody_waits_for_is_ended_at_once(extraction):
    began = time.monotonic()

    def require_wanted():
        if time.monotonic() > began + 0.3:
            raise NobodyWaitsError

    with pytest.raises(NobodyWaitsError):
        extraction.run_within(Patience(require_wanted=require_wanted), time.sleep, 600)
    assert time.monotonic() - began < 30
    assert processes(extraction) == []
    assert extraction.run(len, "abc") == 3


def test_a_fault_of_a_reader_is_named_as_such_and_does_not_end_the_process(extraction):
    with pytest.raises(FileError, match="reading it failed with ZeroDivisionError"):
        extraction.run(operator.truediv, 1, 0)
    [process] = processes(extraction)
    assert extraction.run(operator.truediv, 1, 2) == 0.5
    assert processes(extraction) == [process]


def test_who_waits_for_a_process_can_leave_too():
    extraction = Extraction(processes=1)

    def hold():
        with suppress(FileError):
            extraction.run(time.sleep, 600)

    holds = threading.Thread(target=hold)
    holds.start()
    wait_until(lambda: processes(extraction), "the process")

    def require_wanted():
        raise NobodyWaitsError

    with pytest.raises(NobodyWaitsError):
        extraction.run_within(Patience(require_wanted=require_wanted), len, "abc")
    extraction.close()
    holds.join(30)
    assert not holds.is_alive()


def test_a_program_that_ends_takes_what_is_being_read_with_it(extraction):
    refused = []

    def read():
        with pytest.raises(FileError, match="because the program ends") as error:
            extraction.run(time.sleep, 600)
        refused.append(error.value)

    thread = threading.Thread(target=read)
    thread.start()
    wait_until(lambda: processes(extraction), "the process")
    [process] = processes(extraction)
    extraction.close()
    thread.join(30)
    assert (len(refused), process.poll() is None) == (1, False)


@pytest.fixture
def two_processes():
    """An extraction whose second process ends after a second without a call, and that process."""
    extraction = Extraction(idle_seconds=1)
    threads = [threading.Thread(target=extraction.run, args=(time.sleep, 1)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield extraction, next(process for process in extraction._idle if not process.stays)
    extraction.close()


def test_a_process_that_was_started_beside_another_ends_once_it_is_idle(two_processes):
    extraction, other = two_processes
    assert other._process.wait(60) == 0
    assert extraction.run(len, "abc") == 3
    assert [process.stays for process in extraction._idle] == [True]


def test_a_call_that_reaches_a_process_as_it_ends_is_given_to_another(two_processes):
    extraction, other = two_processes
    other._process.wait(60)
    other.is_alive = lambda: True  # it was, a moment ago
    extraction._idle.reverse()
    assert extraction.run(len, "abcd") == 4
    assert [process.stays for process in extraction._idle] == [True]


# -- a small file of annotations that becomes a large one -------------------------------------------------------------


def project(text, *sources, users=1):
    """A REFI-QDA project of sources with the same text."""
    names = "".join(f'<User guid="u{n}" name="coder {n}"/>' for n in range(users))
    codes = '<CodeBook><Codes><Code guid="k" name="foreign_hand"/></Codes></CodeBook>'
    xml = f'<Project xmlns="urn:QDA-XML:project:1.0"><Users>{names}</Users>{codes}<Sources>{"".join(sources)}</Sources>'
    return zip_of({"project.qde": f"{xml}</Project>", "sources/t.txt": text})


def source(name, selections, end, users=1):
    """A source in which each of some selections is the same, of different users."""
    selection = (
        '<PlainTextSelection startPosition="0" endPosition="{}" creatingUser="u{}"><Coding creatingUser="u{}">'
        '<CodeRef targetGUID="k"/></Coding></PlainTextSelection>'
    )
    coded = "".join(selection.format(end, n % users, n % users) for n in range(selections))
    return f'<TextSource name="{name}" plainTextPath="internal://t.txt">{coded}</TextSource>'


PROJECTS = {
    "selections of a whole text": lambda: project("word " * 200_000, source("s", 300, 1_000_000)),
    "the longest pieces of many coders": lambda: project(
        ("word " * 19_000 + "\n\n") * 10, source("s", 200, 900_000, 200), users=200
    ),
    "small paragraphs of many coders": lambda: project("a.\n\n" * 20_000, source("s", 300, 80_000, 300), users=300),
    "many sources of a text": lambda: project("word " * 200_000, *(source(f"s{n}", 1, 50) for n in range(2000))),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_what_selections_cut_out_is_bounded_by_the_size_of_the_project(name, codebook):
    data = PROJECTS[name]()
    assert len(data) < 20_000
    with pytest.raises(ExchangeError, match=r"more than a file of its size may make|longer than 100,000 characters"):
        FORMATS["refi-qda"].read(data, codebook)


def test_a_project_that_several_coders_coded_whole_is_read(codebook):
    text = "\n\n".join(f"{SENTENCE} Road {number} is closed." for number in range(300))
    reading = FORMATS["refi-qda"].read(project(text, source("s", 20, len(text), 20), users=20), codebook)
    assert len(reading.annotations) == 20 * 300


# Files of annotations, of a single coder and text, with as many labels as are asked for.
MANY_LABELS = {
    "prodigy": lambda count: {
        "options": [{"id": number} for number in range(count)],
        "accept": [count - 1] * count,
        "answer": "accept",
    },
    "doccano": lambda count: {"label": ["rain"] * count + ["foreign_hand"] * count},
}


@pytest.mark.parametrize("name", MANY_LABELS)
def test_an_annotation_of_twice_the_labels_takes_twice_the_time(name, codebook):
    def made(count):
        return json.dumps({"text": SENTENCE, "coder": "mira", **MANY_LABELS[name](count)}).encode()

    def read(content):
        with suppress(ExchangeError):
            FORMATS[name].read(content, codebook, ReadingOptions(ignored=frozenset({"rain"})))

    assert_time_doubles(read, made(3000), made(6000))


def test_a_file_that_takes_more_memory_than_its_size_explains_is_refused_by_a_process_of_its_own(codebook, monkeypatch):
    monkeypatch.setattr(labels.exchange, "_MEMORY", 400 * 2**20)
    lists = zip_of({"a.jsonl": "[" + "[]," * 9_000_000 + "[]]"})
    with pytest.raises(ExchangeError, match=r"packed more than 200 times|MiB of memory|too large"):
        read_apart("doccano", lists, codebook)
    plain = ("[" + "[]," * 9_000_000 + "[]]").encode()
    monkeypatch.setattr(labels.exchange, "_MEMORY_PER_BYTE", 1)
    with pytest.raises(ExchangeError, match=r"MiB of memory|too large"):
        read_apart("label-studio", plain, codebook)


def test_a_file_that_is_read_apart_names_every_bad_row_like_one_that_is_not(codebook):
    data = b"coder,text,source,frame,stance\nm,a,s,foreign_hand,louder\nm,,s,foreign_hand,reported\n"
    with pytest.raises(ExchangeError) as apart:
        read_apart("csv-long", data, codebook)
    with pytest.raises(ExchangeError) as here:
        FORMATS["csv-long"].read(data, codebook)
    assert (str(apart.value), apart.value.rows) == (str(here.value), here.value.rows)
    good = data.replace(b"louder", b"reported").replace(b"m,,s", b"m,b,s")
    assert read_apart("csv-long", good, codebook) == FORMATS["csv-long"].read(good, codebook)


# -- a server that is sent such pages ---------------------------------------------------------------------------------

JSON = {"Content-Type": "application/json"}
# Within all bounds, and yet as long as a page of this size can take to be read.
SLOW_PAGE = "<article>" + ("<div>" + "<ul></ul>" * 1900 + "</div>") * 55 + PARAGRAPH * 3 + "</article>"


@contextmanager
def reading_slow_pages(data_dir):
    """A server that is reading eight such pages for clients, which wait for the answers."""
    with running_server(data_dir) as (client, process):
        url = client.base_url
        connections = [http.client.HTTPConnection(url.host, url.port, timeout=120) for _ in range(8)]
        for connection in connections:
            connection.request("POST", "/v1/classify", json.dumps({"html": SLOW_PAGE}), JSON)
        wait_until(lambda: readers_of(process), "the reading of the pages")
        try:
            yield client, process, connections
        finally:
            for connection in connections:
                connection.close()


def readers_of(server):
    """The processes that read pages for a server."""
    return [child for child in children(server.pid) if b"extraction_process" in command_of(child)]


def in_progress(client):
    text = client.get("/metrics").text
    return float(re.search(r"^framing_http_requests_in_progress ([\d.]+)$", text, re.MULTILINE)[1]) - 1


def test_the_reading_of_pages_ends_when_their_clients_leave(data_dir):
    with reading_slow_pages(data_dir) as (client, server, connections):
        wait_until(lambda: in_progress(client) == len(connections), "the requests")
        for connection in connections:
            connection.close()
        wait_until(lambda: in_progress(client) == 0 and not readers_of(server), "the end of the work", seconds=30)
        assert client.post("/v1/classify", json={"html": f"<article>{PARAGRAPH * 3}</article>"}).status_code == 200


def test_a_stopped_server_ends_within_its_grace_while_it_reads_pages(data_dir):
    with reading_slow_pages(data_dir) as (_, server, _connections):
        readers = readers_of(server)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
        assert time.monotonic() - began < 16  # ten seconds of grace, and the end
        wait_until(lambda: not any(b"extraction_process" in command_of(reader) for reader in readers), "the readers")


def test_a_page_out_of_bounds_is_answered_with_what_is_wrong_with_it_wherever_it_is_sent(client):
    page = with_attributes(300)
    form = {"file": ("page.html", page, "text/html")}
    for address in ("/v1/classify", "/v1/articles"):
        for answer in (client.post(address, json={"html": page}), client.post(address, files=form)):
            problem = answer.json()
            assert (answer.status_code, problem["errors"][0]["pointer"]) == (422, "/html")
            assert "more than 256 attributes" in problem["detail"]
        line = json.loads(client.post(f"{address}:batch", content=json.dumps({"html": page})).text)
        assert (line["status"], "more than 256 attributes" in line["problem"]["detail"]) == (422, True)
    shown = client.post("/classify", data={"kind": "html", "content": page})
    assert (shown.status_code, "more than 256 attributes" in shown.text) == (422, True)
