"""`framing ingest` and uploaded files: articles of files, stored by the service."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.bulk.ingest import IntoDatabase, Reading, ingest
from service.bulk.inputs import Dialect
from service.store.sql.database import Database
from tests.support.articles import THREE_PARAGRAPHS, TWO_PARAGRAPHS
from tests.support.files import write_lines
from tests.support.http import pointers
from tests.support.packed import word_of
from tests.support.pdf import pdf_of
from tests.support.servers import running_server


def rows(count):
    return [
        {"id": n, "outlet": "Courier", "published_at": "2026-03-01", "body": f"{THREE_PARAGRAPHS} Report {n}."}
        for n in range(count)
    ]


COLUMNS = {"text": "body", "external_id": "id"}


@pytest.fixture
def put(registry, settings, database):
    def put(*inputs, replace=False, outlet=None, progress=lambda _ingested, _share: None):
        model, _ = registry.load_champion()
        store = IntoDatabase(database, model, settings, replace=replace)
        return ingest([str(name) for name in inputs], Reading(COLUMNS, Dialect(), outlet), store, progress)

    return put


def test_articles_of_every_kind_of_file_are_stored_and_a_second_run_scores_nothing(put, client, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    articles = rows(40)
    write_lines(folder / "a.jsonl", articles[:35])
    pq.write_table(pa.Table.from_pylist(articles[30:38]), folder / "b.parquet")
    (folder / "c.csv").write_bytes(
        ("id;outlet;body\n" + "".join(f'{a["id"]};Courier;"{a["body"]}"\n' for a in articles[38:])).encode("utf-16")
    )
    (folder / "d.txt").write_text(TWO_PARAGRAPHS, encoding="utf-8")
    (folder / "e.jpg").write_bytes(b"\xff\xd8")
    (folder / "f.parquet").write_bytes(b"PAR1 not really")
    shares = []
    first = put(folder, outlet="Folder", progress=lambda _ingested, share: shares.append(share))
    assert (first.stored, first.same, first.conflict, first.problem) == (41, 5, 0, 1)
    assert first.files_passed_over == 1
    assert "not a Parquet file" in first.examples[0]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    listed = client.get("/v1/articles?limit=200").json()["articles"]
    assert {article["outlet"] for article in listed} == {"Courier", "Folder"}
    assert {article.get("external_id") for article in listed} == {None, *(str(number) for number in range(40))}
    assert len(listed) == 41
    again = put(folder, outlet="Folder")
    assert (again.stored, again.same, again.problem) == (0, 46, 1)


def test_rows_of_the_same_text_under_different_ids_are_different_articles(put, client, tmp_path):
    [article] = rows(1)
    source = write_lines(tmp_path / "a.jsonl", [{**article, "id": own} for own in ("wire-A", "wire-B", "wire-A")])
    first, again = put(source), put(source)
    assert (first.stored, first.same, again.stored, again.same) == (2, 1, 0, 3)
    assert {a["external_id"] for a in client.get("/v1/articles").json()["articles"]} == {"wire-A", "wire-B"}


def test_another_text_under_a_stored_id_is_named_unless_it_replaces(put, client, tmp_path):
    [article] = rows(1)
    put(write_lines(tmp_path / "a.jsonl", [article]))
    source = write_lines(tmp_path / "b.jsonl", [{**article, "body": TWO_PARAGRAPHS}])
    refused = put(source)
    assert (refused.conflict, refused.is_in_vain) == (1, True)
    assert "b.jsonl line 1: Another text is stored under the external_id '0'" in refused.examples[0]
    assert put(source, replace=True).replaced == 1
    [listed] = client.get("/v1/articles").json()["articles"]
    assert client.get(f"/v1/articles/{listed['id']}").json()["text"] == TWO_PARAGRAPHS


def test_a_row_that_is_no_article_says_why_and_the_others_are_stored(put, tmp_path):
    (tmp_path / "a.csv").write_text(
        f'id,published_at,body\n1,12/31/2024,"{TWO_PARAGRAPHS}"\n2,,"{THREE_PARAGRAPHS}"\n3,,\n', encoding="utf-8"
    )
    ingested = put(tmp_path / "a.csv")
    assert (ingested.stored, ingested.problem) == (1, 2)
    assert [example.removeprefix(f"{tmp_path}/") for example in ingested.examples] == [
        "a.csv row 1: It is not an article: published_at: must be an ISO 8601 date or time, and is '12/31/2024'.",
        "a.csv row 3: It has no text: the column 'body' is empty.",
    ]


def test_a_running_server_takes_the_articles_and_the_command_can_be_repeated(settings, framing, tmp_path):
    write_lines(tmp_path / "a.jsonl", rows(3))
    with running_server(settings.data_dir) as (client, _):
        address = str(client.base_url)
        command = ("ingest", "a.jsonl", "--column", "text=body", "--column", "external_id=id", "--server", address)
        first = framing(*command)
        assert first.returncode == 0, first.stderr
        assert "Articles: 3 stored." in first.stdout
        again = json.loads(framing(*command, "--json").stdout)
        assert (again["stored"], again["same"]) == (0, 3)
        assert len(client.get("/v1/articles").json()["articles"]) == 3
    failed = framing(*command)
    assert failed.returncode == 1
    assert "cannot be reached" in failed.stderr


@pytest.fixture
def ingested(framing, models_folder, tmp_path):
    def ingested(content, *options):
        (tmp_path / "a.csv").write_bytes(content)
        return framing("ingest", "a.csv", "--column", "text=body", *options, data_dir=models_folder.parent)

    return ingested


TABLE = f'body;paper\n"{TWO_PARAGRAPHS} Café.";Courier\n'.encode("cp1252")


def test_the_command_says_how_it_reads_tables_of_other_delimiters_and_encodings(ingested):
    done = ingested(TABLE, "--column", "outlet=paper")
    assert done.returncode == 0, done.stderr
    assert "a.csv: its cells are separated by semicolon." in done.stderr
    assert "Read from files that are not in UTF-8: 1 article as windows-1252." in done.stderr
    again = json.loads(ingested(TABLE, "--column", "outlet=paper", "--json").stdout)
    assert (again["same"], again["encodings"]) == (1, {"windows-1252": 1})


def test_a_column_that_no_table_has_is_refused_before_anything_is_stored(ingested):
    mistyped = ingested(TABLE, "--column", "outlet=papr")
    assert mistyped.returncode == 1
    assert "No table has the column 'papr' for outlet. There are: body, paper." in mistyped.stderr
    unknown = ingested(TABLE, "--column", "outlett=paper")
    assert unknown.returncode == 2
    assert "'outlett' is no field of an article" in unknown.stderr
    assert ingested(TABLE, "--column", "outlet=paper").stdout == "Articles: 1 stored.\n"


def test_scoring_and_storing_refuse_the_same_rows_and_name_the_column_and_what_it_holds(ingested, framing, tmp_path):
    days = ["03/14/2026", "2026-03-14", "15/03/2026", "2026-03", "", "soon"]
    table = "body,day,link\n" + "".join(f'"{TWO_PARAGRAPHS} {n}",{day},\n' for n, day in enumerate(days))
    table += f' ,2026-03-14,\n"{THREE_PARAGRAPHS}",,courier.example\n'
    options = ("--column", "published_at=day", "--column", "url=link", "--json")
    stored = json.loads(ingested(table.encode(), *options).stdout)
    assert (stored["stored"], stored["problem"]) == (2, 6)
    assert (
        "row 1: It is not an article: day (published_at): must be an ISO 8601 date or time, and is '03/14/2026'."
        in (stored["examples"][0])
    )
    command = ("score", "a.csv", "--column", "text=body", *options, "--to", "scores", "--format", "jsonl")
    scored = json.loads(framing(*command, data_dir=tmp_path / "data").stdout)
    assert (scored["articles"], scored["problems"]) == (2, 6)
    [file] = (tmp_path / "scores").glob("part-*")
    problems = [row for row in map(json.loads, file.read_text("utf-8").splitlines()) if row["problem"]]
    assert [f"a.csv row {row['record']}: {row['problem']}" for row in problems] == stored["examples"]
    assert problems[-2]["problem"] == "It has no text: the column 'body' is empty."
    assert "link (url): " in problems[-1]["problem"]
    assert problems[0]["published_at"] == "03/14/2026"


@pytest.mark.parametrize(
    ("article", "problem"),
    [
        ({"body": "", "day": "2026-03-14"}, "It has no text: the column 'body' is empty."),
        ({"body": TWO_PARAGRAPHS, "day": 7}, "day (published_at): must be an ISO 8601 date or time, and is '7'."),
        ({"body": TWO_PARAGRAPHS, "published_at": "now"}, "an article: published_at: must be an ISO 8601"),
    ],
)
def test_the_faults_of_articles_in_json_lines_and_parquet_are_named_alike(
    registry, settings, tmp_path, article, problem
):
    columns = {"text": "body", "published_at": "day"}
    write_lines(tmp_path / "a.jsonl", [article])
    pq.write_table(pa.Table.from_pylist([article]), tmp_path / "a.parquet")
    store = IntoDatabase(Database(settings.store_url), registry.load_champion()[0], settings, replace=False)
    for name in ("a.jsonl", "a.parquet"):
        done = ingest([str(tmp_path / name)], Reading(columns, Dialect()), store, lambda _ingested, _share: None)
        assert problem in done.examples[0]


# -- uploads ----------------------------------------------------------------------------------------------------------


TEXTS = TWO_PARAGRAPHS.split("\n\n")
FILES = {
    "a.txt": (TWO_PARAGRAPHS.encode(), "utf-8"),
    "a.txt.gz": (gzip.compress(TWO_PARAGRAPHS.encode("utf-16")), "utf-16"),
    "b.html": ("".join(f"<p>{text}</p>" for text in TEXTS).encode(), "utf-8"),
    "c.json": (json.dumps({"text": TWO_PARAGRAPHS}).encode(), "utf-8"),
    "d.docx": (word_of(*TEXTS), None),
    "e.pdf": (pdf_of(TEXTS), None),
}


@pytest.mark.parametrize("path", ["/v1/articles", "/v1/classify"])
@pytest.mark.parametrize("name", FILES)
def test_an_uploaded_file_is_an_article(client, path, name):
    content, encoding = FILES[name]
    fields = {"title": "After the train", "outlet": "Courier", "explain": "false"}
    answer = client.post(path, files={"file": (name, content)}, data=fields)
    assert answer.status_code == (201 if path == "/v1/articles" else 200), answer.text
    assert [paragraph["text"] for paragraph in answer.json()["paragraphs"]] == TEXTS
    assert answer.headers.get("framing-encoding") == encoding
    assert "evidence" not in answer.text
    if path == "/v1/articles":
        assert (answer.json()["title"], answer.json()["outlet"]) == ("After the train", "Courier")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("scan.pdf", pdf_of([]), "pictures of pages and no text"),
        ("a.pdf", b"rubbish", "not a PDF file"),
        ("a.docx", b"rubbish", "not a Word document"),
        ("a.csv", b"text\nThe army.\n", "many articles"),
        ("a.bin", b"a\0\0\0", "It is not text"),
        ("a.txt.gz", b"\x1f\x8bx", "not a gzip file"),
    ],
)
def test_an_uploaded_file_that_is_no_article_is_refused_by_a_sentence(client, name, content, sentence):
    answer = client.post("/v1/articles", files={"file": (name, content)})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:framing:problem:unreadable-file"
    assert sentence in answer.json()["detail"]
    assert pointers(answer.json()) == ["/file"]


def test_half_of_a_character_in_a_file_of_json_is_refused_by_a_sentence(client):
    content = json.dumps({"text": "The army \ud800 left the valley on Monday."}).encode()
    for path in ("/v1/classify", "/v1/articles"):
        answer = client.post(path, files={"file": ("a.json", content)})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file")
        assert "half of a character" in answer.json()["detail"]


def test_a_form_with_two_files_or_an_unknown_field_is_refused(client):
    two = client.post("/v1/articles", files=[("file", ("a.txt", b"The army.")), ("file", ("b.txt", b"The navy."))])
    assert two.status_code == 400
    assert "one file" in two.json()["detail"]
    unknown = client.post("/v1/articles", files={"file": ("a.txt", b"The army left.")}, data={"colour": "red"})
    assert pointers(unknown.json()) == ["/colour"]
