"""Exports of archives that hold several articles: separated from files, refused as a single article, never joined."""

import pytest

from labels.errors import ArticleError
from labels.paragraphs import split_html, split_text
from labels.reading.field_lines import separate_documents
from service.bulk.records import read_records

TEXT = "The gunmen closed the road on Monday and held three drivers for an hour.\n\nThe governor blamed the capital."


def nexis(number, count):
    return (
        f"{number} of {count} DOCUMENTS\n\nHarbour Courier\n\nMarch {number}, 2026 Friday\n\nRoad {number}\n\n"
        f"BYLINE: Ilara Venn\n\nSECTION: NEWS; Pg. 4\n\nLENGTH: 412 words\n\n{TEXT}\n\n"
        "LOAD-DATE: March 5, 2026\n\nLANGUAGE: ENGLISH\n\nPUBLICATION-TYPE: Newspaper\n\n"
    )


def nexis_uni(number):
    return (
        f"Road {number}\nHarbour Courier\nMarch {number}, 2026 Friday\n\nCopyright 2026 Harbour Courier\n\n"
        f"Section: NEWS\nLength: 412 words\nByline: Ilara Venn\n\nBody\n\n{TEXT}\n\n"
        "Load-Date: March 5, 2026\n\nEnd of Document\n\n"
    )


def factiva(number):
    return (
        f"HD Road {number}\nBY By Ilara Venn\nWC 412 words\nPD {number} March 2026\nSN Harbour Courier\nSC HARB\n"
        f"LA English\nCY (c) 2026 Harbour Courier\n\nLP {TEXT.replace(chr(10) * 2, chr(10) * 2 + 'TD ')}\n\n"
        f"Document HARB00002026030{number}em34000b{number}\n\n"
    )


def proquest(number):
    return (
        f"Document {number} of 3\n\nRoad {number}\n\nAuthor: Venn, Ilara\n\nPublication info: Harbour Courier."
        f"\n\nAbstract: The road.\n\nFull text: {TEXT}\n\nTitle: Road {number}\n\n"
        f"Publication title: Harbour Courier\n\nPublication date: Mar {number}, 2026\n\n{'_' * 60}\n\n"
    )


EXPORTS = {
    "nexis": [nexis(number, 3) for number in (1, 2, 3)],
    "nexis-uni": [nexis_uni(number) for number in (1, 2, 3)],
    "factiva": [factiva(number) for number in (1, 2, 3)],
    "proquest": [proquest(number) for number in (1, 2, 3)],
    "nexis-crlf": [nexis(number, 3).replace("\n", "\r\n") for number in (1, 2, 3)],
}


@pytest.mark.parametrize("documents", EXPORTS.values(), ids=EXPORTS)
def test_an_export_of_several_articles_is_refused_as_one_and_separated_in_a_file(tmp_path, documents):
    with pytest.raises(ArticleError, match="an export of 3 articles"):
        split_text("".join(documents))
    (tmp_path / "export.txt").write_bytes("".join(documents).encode())
    records = list(read_records([str(tmp_path / "export.txt")]))
    assert [record.name.rsplit("/", 1)[-1] for record in records] == [f"export.txt document {n}" for n in (1, 2, 3)]
    read = [split_text(record.fields["text"]) for record in records]
    assert [article.imprint.title for article in read] == ["Road 1", "Road 2", "Road 3"]
    assert {article.imprint.published_at.day for article in read} == {1, 2, 3}
    assert all([p.text for p in article.paragraphs] == TEXT.split("\n\n") for article in read)


@pytest.mark.parametrize("name", ["nexis", "proquest"])
def test_a_list_of_results_before_the_first_document_is_left_out(name):
    results = "Job Number: 12\n\nDocuments (3)\n\n1. Road 1\n2. Road 2\n3. Road 3\n\n"
    assert separate_documents(results + "".join(EXPORTS[name])) == EXPORTS[name]


def test_the_summary_of_a_search_after_the_last_document_is_left_out():
    summary = "Search Summary\nText\tattack\nDate\tIn the last week\nSource\tAll sources\n"
    texts = separate_documents("".join(EXPORTS["factiva"]) + summary)
    assert [text.strip() for text in texts] == [text.strip() for text in EXPORTS["factiva"]]


@pytest.mark.parametrize("documents", EXPORTS.values(), ids=EXPORTS)
def test_an_export_of_a_single_article_is_an_article(documents):
    assert separate_documents(documents[0]) == [documents[0]]
    assert len(split_text(documents[0]).paragraphs) == 2


@pytest.mark.parametrize(
    "text",
    [
        "1 of 2\n\nThe road is closed.\n\n2 of 2\n\nThe pass is open.",
        "Part one.\n\nEnd of document\n\nPart two.\n\nEnd of document",
        f"{nexis(1, 3)}\n\n7 of 9 DOCUMENTS\n\nThe clerk read only that line of the file aloud.",
    ],
)
def test_a_text_that_only_counts_its_parts_is_a_single_article(text):
    assert separate_documents(text) == [text]


def test_a_page_of_several_articles_of_an_archive_is_refused():
    with pytest.raises(ArticleError, match="an export of 2 articles"):
        split_html(f"<html><body>{page_of(1, 2)}{page_of(2, 2)}</body></html>")


def page_of(number, count):
    return f"<div><p>{'</p><p>'.join(nexis(number, count).strip().split(chr(10) * 2))}</p></div>"


def test_a_page_of_a_single_article_of_an_archive_is_read_like_its_text():
    article = split_html(f"<html><body>{page_of(1, 1)}</body></html>")
    assert [p.text for p in article.paragraphs] == TEXT.split("\n\n")
    assert (article.imprint.title, article.imprint.outlet) == ("Road 1", "Harbour Courier")


def test_fields_on_a_page_of_a_site_are_no_export():
    fields = "<p>Title: Road</p><p>Author: Ilara Venn</p><p>Source: Courier</p><p>Date: March 4, 2026</p>"
    nav = "<nav><a href='/'>Home</a> <a href='/w'>World news of today</a></nav>"
    body = "".join(f"<p>The gunmen closed the road. It was the road number {n} of the day.</p>" for n in range(6))
    page = f"<html><body>{nav}<article>{fields}{body}</article></body></html>"
    assert len([p for p in split_html(page).paragraphs if "It was the road" in p.text]) == 6
