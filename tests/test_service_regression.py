"""For papers: every score with its label in one table, and regressions on it with corrected labels."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow.parquet
import pytest

from service.prevalence.regression import COLUMNS
from service.store.draws.inclusion import inclusions

ARTICLES, PER_ARTICLE = 60, 4
OUTLETS = ("Courier", "Harbour Post")
FIRST = date(2026, 3, 2)


@pytest.fixture
def filled(client, corpus):
    """Sixty articles by two outlets over sixty days, with each paragraph of the corpus once."""
    for number in range(ARTICLES):
        texts = [paragraph.text for paragraph in corpus[number * PER_ARTICLE : (number + 1) * PER_ARTICLE]]
        store(client, texts, number)
    return client


def store(client, texts, number):
    body = {
        "paragraphs": texts,
        "outlet": OUTLETS[number % 2],
        "external_id": f"no-{number // 2}",
        "published_at": (FIRST + timedelta(days=number)).isoformat(),
        "force_language": "en",
    }
    assert client.post("/v1/articles", json=body).status_code == 201


def code(client, corpus, count, coder="mira"):
    """Annotates paragraphs of the queue as the corpus does; returns their articles and places."""
    gold = {paragraph.text: paragraph.annotations[0].frames for paragraph in corpus}
    tasks = client.post("/v1/coding-queue", json={"coder": coder, "n": count}).json()["tasks"]
    coded = [
        {"coder": coder, "article_id": t["article_id"], "paragraph": t["paragraph"], "frames": dict(gold[t["text"]])}
        for t in tasks
    ]
    assert client.post("/v1/annotations", json=coded).status_code == 201
    return {(task["article_id"], task["paragraph"]) for task in tasks}


def exported(client, **parameters):
    text = client.get("/v1/scores", params={"format": "ndjson", **parameters}).text
    return [json.loads(line) for line in text.splitlines()]


def regress(framing, client, *arguments):
    return framing("regression", *arguments, data_dir=client.app.state.services.settings.data_dir)


def estimated(framing, client, *arguments):
    done = regress(framing, client, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_term(answer, name="coefficient"):
    return {entry["term"]: entry[name] for entry in answer["coefficients"]}


@pytest.mark.databases
def test_each_score_has_the_label_of_the_coders_and_its_probability_or_none(filled, corpus):
    coded = code(filled, corpus, 80)
    rows = exported(filled)
    gold = {p.text: set(p.annotations[0].frames) for p in corpus}
    texts = {
        (article["id"], place["index"]): place["text"]
        for article in filled.get("/v1/articles?limit=200").json()["articles"]
        for place in filled.get(f"/v1/articles/{article['id']}").json()["paragraphs"]
    }
    assert len(rows) == ARTICLES * PER_ARTICLE * 4
    for row in rows:
        place = (row["article_id"], row["paragraph"])
        assert row["corrects"] == (place in coded)
        if place in coded:
            assert row["label"] == float(row["frame"] in gold[texts[place]])
            assert 0 < row["inclusion_probability"] <= 1
        else:
            assert row["label"] is row["inclusion_probability"] is None
        assert (row["model_version"], row["codebook_version"], row["population"]) == ("v1", 2, "all_articles")
        assert 0 <= row["left_out_score"] <= 1
    assert sum(1 / row["inclusion_probability"] for row in rows if row["corrects"]) / 4 == pytest.approx(
        ARTICLES * PER_ARTICLE, rel=0.25
    )
    assert len({row["queried_at"] for row in rows}) == 1


def test_labels_of_chosen_paragraphs_are_exported_but_correct_nothing(filled):
    article = filled.get("/v1/articles").json()["articles"][0]["id"]
    chosen = {"coder": "mira", "article_id": article, "paragraph": 0, "frames": {"foreign_hand": "advanced"}}
    other = {**chosen, "coder": "tomas", "frames": {}}
    assert filled.post("/v1/annotations", json=[chosen, other]).status_code == 201
    labelled = {row["frame"]: row for row in exported(filled) if row["label"] is not None}
    assert labelled["foreign_hand"]["label"] == 0.5
    assert {(row["inclusion_probability"], row["corrects"]) for row in labelled.values()} == {(None, False)}


def test_the_command_writes_the_table_of_the_api_with_numbers_as_numbers(filled, corpus, framing, tmp_path):
    code(filled, corpus, 40)
    place = {"data_dir": filled.app.state.services.settings.data_dir}
    assert framing("export-scores", "scores.parquet", "--frame", "foreign_hand", **place).returncode == 0
    table = pyarrow.parquet.read_table(tmp_path / "scores.parquet")
    rows = exported(filled, frame="foreign_hand")
    for name in ("article_id", "score", "label", "inclusion_probability", "corrects"):
        assert table.column(name).to_pylist() == [row[name] for row in rows]
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["label"], types["inclusion_probability"], types["corrects"]) == ("double", "double", "bool")
    assert types["codebook_version"] == "int64"
    written = framing("export-scores", "scores.csv", "--from", "2026-04-01", "--outlet", OUTLETS[0], "--json", **place)
    content = (tmp_path / "scores.csv").read_bytes()
    assert json.loads(written.stdout)["bytes"] == len(content)
    days = {row["day"] for row in csv.DictReader(io.StringIO(content.decode()))}
    assert min(days) == "2026-04-01"
    refused = framing("export-scores", "scores.xlsx", **place)
    assert refused.returncode == 1
    assert "must end in .csv" in refused.stderr


@pytest.mark.databases
def test_annotations_of_a_store_that_grew_stand_for_as_many_paragraphs_as_there_are(filled, corpus):
    for round_ in range(3):
        code(filled, corpus, 30, coder=f"coder {round_}")
        for number in range(ARTICLES + 15 * round_, ARTICLES + 15 * (round_ + 1)):
            texts = [paragraph.text for paragraph in corpus[number * PER_ARTICLE : (number + 1) * PER_ARTICLE]]
            store(filled, texts, number)
    code(filled, corpus, 30, coder="coder 3")
    with filled.app.state.services.database.read() as connection:
        drawn = inclusions(connection)
    probabilities = {unit: inclusion.probability for unit, inclusion in drawn.items()}
    of = {row["article_id"]: date.fromisoformat(row["day"]) for row in exported(filled, frame="foreign_hand")}
    early = [p for unit, p in probabilities.items() if of[unit.split(":")[0]] < FIRST + timedelta(days=ARTICLES)]
    late = [p for unit, p in probabilities.items() if of[unit.split(":")[0]] >= FIRST + timedelta(days=ARTICLES)]
    # The early articles went through four draws, the late ones through one to three.
    assert np.mean(early) > 1.2 * np.mean(late)
    assert sum(1 / p for p in (*early, *late)) == pytest.approx((ARTICLES + 45) * PER_ARTICLE, rel=0.35)


def test_a_paragraph_that_was_drawn_and_not_coded_makes_the_others_stand_for_more(filled, corpus):
    tasks = filled.post("/v1/coding-queue", json={"coder": "mira", "n": 40}).json()["tasks"]
    for task in tasks[::2]:
        annotation = {"coder": "mira", "article_id": task["article_id"], "paragraph": task["paragraph"], "frames": {}}
        assert filled.post("/v1/annotations", json=annotation).status_code == 201
    recorded = {(task["article_id"], task["paragraph"]): task["inclusion_probability"] for task in tasks}
    labelled = [row for row in exported(filled, frame="foreign_hand") if row["label"] is not None]
    assert len(labelled) == len(tasks[::2])
    for row in labelled:
        share = len(tasks[::2]) / len(tasks)
        place = (row["article_id"], row["paragraph"])
        assert row["inclusion_probability"] == pytest.approx(share * recorded[place])


def test_with_everything_annotated_the_shares_of_outlets_are_those_of_the_labels(filled, corpus, framing):
    assert code(filled, corpus, 200) & code(filled, corpus, 200) == set()
    used = corpus[: ARTICLES * PER_ARTICLE]
    carrying = np.array(["foreign_hand" in p.annotations[0].frames for p in used]).reshape(ARTICLES, PER_ARTICLE)
    answer = estimated(framing, filled, "foreign_hand", "--on", "outlet")
    shares = [carrying[place::2].mean() for place in range(2)]
    # Near-duplicates are drawn only once.
    assert answer["annotated"] > 0.95 * answer["scored"]
    assert by_term(answer)["intercept"] == pytest.approx(shares[0], abs=0.03)
    assert by_term(answer)["outlet: Harbour Post"] == pytest.approx(shares[1] - shares[0], abs=0.03)
    other = estimated(framing, filled, "foreign_hand", "--on", "outlet", "--reference", "outlet=Harbour Post")
    assert by_term(other)["outlet: Courier"] == pytest.approx(-by_term(answer)["outlet: Harbour Post"])


@pytest.mark.databases
def test_a_regression_says_what_it_is_about_in_json_and_in_every_row_of_its_table(filled, corpus, framing, tmp_path):
    code(filled, corpus, 160)
    before = datetime.now(UTC)
    answer = estimated(framing, filled, "foreign_hand", "--on", "outlet", "--on", "day", "--csv", "table.csv")
    assert (answer["model_version"], answer["codebook_version"]) == ("v1", 2)
    assert (answer["first_day"], answer["last_day"]) == ("2026-03-02", "2026-04-30")
    assert (answer["unit"], answer["population"], answer["confidence"]) == ("paragraph", "all_articles", 0.95)
    assert before <= datetime.fromisoformat(answer["queried_at"]) <= datetime.now(UTC)
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["term"] for row in rows] == ["intercept", "outlet: Harbour Post", "day"]
    assert list(rows[0]) == [column.name for column in COLUMNS]
    for row, entry in zip(rows, answer["coefficients"], strict=True):
        assert {name: float(row[name]) for name in ("coefficient", "standard_error", "low", "high")} == {
            name: entry[name] for name in ("coefficient", "standard_error", "low", "high")
        }
        for name in ("frame", "link", "estimator", "model_version", "first_day"):
            assert row[name] == answer[name]
        assert int(row["annotated"]) == answer["annotated"]
    shown = regress(framing, filled, "foreign_hand", "--on", "outlet").stdout
    assert f"{answer['scored']} scored paragraphs" in shown
    assert "Harbour Post" in shown


def test_facts_about_articles_are_joined_by_id_or_by_external_id_and_outlet(filled, corpus, framing, tmp_path):
    code(filled, corpus, 200)
    articles = filled.get("/v1/articles?limit=200").json()["articles"]
    kind = {article["id"]: "wire" if place % 2 else "staff" for place, article in enumerate(articles)}
    length = {article["id"]: place % 7 for place, article in enumerate(articles)}
    by_id, by_external = ["article_id,kind,length"], ["external_id;outlet;kind;length"]
    for article in articles:
        facts = kind[article["id"]], str(length[article["id"]])
        by_id.append(",".join((article["id"], *facts)))
        by_external.append(";".join((article["external_id"], article["outlet"], *facts)))
    (tmp_path / "by_id.csv").write_text("\n".join(by_id), encoding="utf-8")
    (tmp_path / "by_external.csv").write_text("\n".join(by_external), encoding="utf-8")
    (tmp_path / "some.csv").write_text("\n".join(by_id[:-3]), encoding="utf-8")
    on = ("foreign_hand", "--on", "kind", "--on", "length", "--with")
    answers = [estimated(framing, filled, *on, name) for name in ("by_id.csv", "by_external.csv")]
    assert list(by_term(answers[0])) == ["intercept", "kind: wire", "length"]
    assert by_term(answers[0]) == by_term(answers[1])
    some = estimated(framing, filled, *on, "some.csv")
    assert (some["articles_left_out"], some["articles"]) == (3, ARTICLES - 3)


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        (
            None,
            ("--on", "colour"),
            "There is no variable 'colour'; there are outlet, week, month, year, day, paragraph",
        ),
        (None, ("--on", "outlet", "--on", "outlet"), "A variable is named twice."),
        (None, ("--on", "outlet", "--reference", "outlet=Nobody"), "No article has 'Nobody' as its outlet"),
        (None, ("--on", "outlet", "--reference", "month=2026-03"), "'month' is not among the variables"),
        (None, ("--on", "day", "--reference", "day=3"), "'day' is a number and has no categories"),
        (None, ("--on", "day", "--category", "day"), "'day' is a number and has no categories"),
        (None, ("--on", "week"), "week: 2026-03-02 has"),
        ("id,kind\n1,x\n", ("--on", "kind"), "needs a column article_id or external_id; its columns are id, kind"),
        ("external_id,kind\nno-1,x\nno-1,y\n", ("--on", "kind"), "row 3: the article no-1 has more than one row"),
        ("external_id,kind\nunknown,x\n", ("--on", "kind"), "No stored article has a row in the table"),
        ("external_id,month\nno-1,3\n", ("--on", "month"), "has a column 'month', which every article has already"),
        ("external_id,kind\n", ("--on", "kind"), "has no rows"),
    ],
)
def test_what_is_missing_is_said(filled, corpus, framing, tmp_path, table, arguments, message):
    code(filled, corpus, 120)
    if table is not None:
        (tmp_path / "facts.csv").write_text(table, encoding="utf-8")
        arguments = (*arguments, "--with", "facts.csv")
    done = regress(framing, filled, "foreign_hand", *arguments)
    assert done.returncode == 1
    assert message in done.stderr


def test_a_category_with_too_few_annotations_says_how_many_it_has(filled, corpus, framing):
    coded = code(filled, corpus, 20)
    done = regress(framing, filled, "foreign_hand", "--on", "day")
    assert done.returncode == 1
    assert "needs 30 annotations of drawn paragraphs from 15 articles" in done.stderr
    # The queue leaves out paragraphs that are nearly alike.
    assert f"all paragraphs has {len(coded)} from" in done.stderr, done.stderr
