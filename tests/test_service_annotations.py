import json
from dataclasses import replace

import pytest

from labels.exchange import FORMATS
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import pointers
from tests.support.packed import zip_of
from training.kinds.adapted import base_challenger
from training.registry.base import shipped_base
from training.registry.versions import Registry

pytestmark = pytest.mark.databases


@pytest.fixture
def article(client):
    return client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "outlet": "Courier"}).json()["id"]


def annotate(client, body, **options):
    return client.post("/v1/annotations", json=body, **options)


def in_force(client, **parameters):
    return client.get("/v1/annotations", params=parameters).json()["annotations"]


def test_an_annotation_of_a_stored_paragraph_has_coder_time_and_codebook(client, article):
    response = annotate(
        client,
        {"coder": "mira", "article_id": article, "paragraph": 1, "frames": {"foreign_hand": "reported"}, "note": "hm"},
    )
    assert response.status_code == 201
    [stored] = response.json()["annotations"]
    assert (stored["coder"], stored["source"], stored["codebook_version"]) == ("mira", "Courier", 2)
    assert (stored["selection"], stored["inclusion_probability"], stored["replaced_at"]) == ("chosen", None, None)
    assert in_force(client) == [stored]


def test_a_coder_marks_a_decision_as_unsure_and_nobody_else_does(client, article):
    body = {"coder": "mira", "article_id": article, "frames": {}}
    annotate(client, [{**body, "paragraph": 0, "unsure": True}, {**body, "paragraph": 1}])
    assert [a["unsure"] for a in in_force(client)] == [False, True]
    assert [a["paragraph"] for a in in_force(client, unsure="true")] == [0]
    assert [a["paragraph"] for a in in_force(client, unsure="false")] == [1]
    annotate(client, {**body, "paragraph": 0, "covered": ["foreign_hand"]})
    assert [a["paragraph"] for a in in_force(client, unsure="true")] == [0], "the earlier decision is still unsure"
    annotate(client, {**body, "paragraph": 0})
    assert in_force(client, unsure="true") == []
    refused = annotate(client, {**body, "paragraph": 0, "unsure": "a bit"})
    assert (refused.status_code, pointers(refused.json())) == (422, ["/unsure"])


def test_a_text_of_the_coders_own_needs_its_source(client):
    assert (
        annotate(client, {"coder": "m", "text": "The army moved in.", "source": "radio", "frames": {}}).status_code
        == 201
    )
    missing = annotate(client, {"coder": "m", "text": "The army moved in.", "frames": {}})
    assert (missing.status_code, pointers(missing.json())) == (422, ["/source"])


def test_coding_again_replaces_the_annotation_which_stays_in_the_history(client, article):
    for frames in ({"foreign_hand": "reported"}, {}, {"foreign_hand": "contested"}):
        annotate(client, {"coder": "mira", "article_id": article, "paragraph": 1, "frames": frames})
    annotate(client, {"coder": "tom", "article_id": article, "paragraph": 1, "frames": {}})
    current = {a["coder"]: a["frames"] for a in in_force(client)}
    assert current == {"mira": {"foreign_hand": "contested"}, "tom": {}}
    history = in_force(client, history="true", coder="mira")
    assert [a["frames"] for a in history] == [{"foreign_hand": "contested"}, {}, {"foreign_hand": "reported"}]
    assert [a["replaced_at"] is None for a in history] == [True, False, False]


def test_a_deleted_annotation_is_out_of_force_and_in_the_history(client, article):
    body = {"coder": "mira", "article_id": article, "paragraph": 0, "frames": {}}
    identifier = annotate(client, body).json()["annotations"][0]["id"]
    assert client.delete(f"/v1/annotations/{identifier}").status_code == 204
    assert client.delete(f"/v1/annotations/{identifier}").status_code == 404
    assert in_force(client) == []
    assert len(in_force(client, history="true")) == 1


def test_json_lines_and_lists_are_stored_whole_or_not_at_all(client, article):
    rows = [{"coder": "m", "article_id": article, "paragraph": n, "frames": {}} for n in range(3)]
    lines = "\n".join(map(json.dumps, rows))
    sent = client.post("/v1/annotations", content=lines, headers={"content-type": "application/x-ndjson"})
    assert (sent.status_code, len(sent.json()["annotations"])) == (201, 3)
    bad = annotate(client, [*rows, {"coder": "n", "article_id": article, "paragraph": 9, "frames": {}}])
    assert (bad.status_code, pointers(bad.json())) == (404, ["/3/article_id"])
    unknown = annotate(client, [{"coder": "n", "article_id": article, "paragraph": 0, "frames": {"rain": "present"}}])
    assert (unknown.status_code, pointers(unknown.json())) == (422, ["/0/frames/rain"])
    assert len(in_force(client)) == 3


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"frames": {"foreign_hand": "loud"}}, 422),
        ({"frames": ["foreign_hand"]}, 422),
        ({"coder": ""}, 422),
        ({"paragraph": -1}, 404),
        ({"paragraph": "0"}, 422),
        ({"article_id": "0" * 32}, 404),
        ({"article_id": None}, 422),
        ({"text": "x", "source": "y"}, 422),
        ({"inclusion_probability": 0.5}, 422),
    ],
)
def test_a_bad_annotation_is_rejected_and_nothing_is_stored(client, article, change, status):
    body = {"coder": "mira", "article_id": article, "paragraph": 0, "frames": {}, **change}
    response = annotate(client, body)
    assert response.status_code == status
    assert response.json()["errors"]
    assert in_force(client, history="true") == []


def test_annotations_are_listed_page_by_page_and_filtered(client, article):
    for number in range(5):
        annotate(client, {"coder": f"c{number % 2}", "text": f"Text {number}.", "source": "radio", "frames": {}})
    annotate(client, {"coder": "c0", "article_id": article, "paragraph": 0, "frames": {}})
    seen, cursor = [], None
    while True:
        page = client.get("/v1/annotations", params={"limit": 4, **({"cursor": cursor} if cursor else {})}).json()
        seen += [a["text"] for a in page["annotations"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [None, "Text 4.", "Text 3.", "Text 2.", "Text 1.", "Text 0."]
    assert len(in_force(client, coder="c1")) == 2
    assert len(in_force(client, source="radio")) == 5
    assert len(in_force(client, article_id=article)) == 1
    assert in_force(client, selection="random") == []


def test_agreement_is_measured_per_frame_pair_and_stance_and_disagreements_are_listed(client):
    frames = [{"foreign_hand": "reported"}, {}]
    for number in range(12):
        for coder in ("ann", "ben", "eva"):
            own = dict(frames[number % 2])
            if coder == "ben" and number == 0:
                own = {}
            if coder == "eva" and number == 2:
                own = {"foreign_hand": "contested"}
            annotate(client, {"coder": coder, "text": f"Text {number}.", "source": "radio", "frames": own})
    answer = client.get("/v1/agreement").json()
    assert (answer["coders"], answer["paragraphs"]) == (["ann", "ben", "eva"], 12)
    alphas = {f["frame"]: f["alpha"] for f in answer["frames"]}
    assert 0.7 < alphas["foreign_hand"] < 1
    assert alphas["grievance_driven"] is None
    pairs = {tuple(p["coders"]): {f["frame"]: f["alpha"] for f in p["frames"]} for p in answer["pairs"]}
    assert pairs["ann", "eva"]["foreign_hand"] == 1.0
    assert pairs["ann", "ben"]["foreign_hand"] < 1
    stance = {f["frame"]: f for f in answer["stance"]}
    assert stance["foreign_hand"]["percent"] < 1
    [disagreement] = answer["disagreements"]
    assert (disagreement["text"], disagreement["annotations"]["ben"], disagreement["settled_by"]) == (
        "Text 0.",
        {},
        None,
    )


def test_an_adjudication_is_beside_the_annotations_and_names_its_author(client):
    for coder, frames in (("ann", {"foreign_hand": "reported"}), ("ben", {})):
        annotate(client, {"coder": coder, "text": "Text.", "source": "radio", "frames": frames})
    settled = {"coder": "prof", "role": "adjudicator", "text": "Text.", "source": "radio", "frames": {}}
    assert annotate(client, settled).status_code == 201
    answer = client.get("/v1/agreement").json()
    assert answer["coders"] == ["ann", "ben"]
    assert answer["disagreements"][0]["settled_by"] == "prof"
    assert len(in_force(client)) == 3


def test_deleting_an_article_deletes_its_annotations(client, article):
    annotate(client, {"coder": "mira", "article_id": article, "paragraph": 0, "frames": {}})
    client.delete(f"/v1/articles/{article}")
    assert in_force(client, history="true") == []


@pytest.fixture
def stored_corpus(client, corpus):
    """The first forty articles of the corpus, as an outlet's."""
    articles = {}
    for paragraph in corpus[:400]:
        articles.setdefault(paragraph.article, []).append(paragraph.text)
    for name, texts in list(articles.items())[:40]:
        body = {"paragraphs": texts, "external_id": name, "outlet": "Courier", "explain": False}
        assert client.post("/v1/articles", json=body).status_code == 201
    return client


def queue(client, coder, n=20):
    response = client.post("/v1/coding-queue", json={"coder": coder, "n": n})
    assert response.status_code == 200, response.text
    return response.json()["tasks"]


def key(task):
    return task["article_id"], task["paragraph"]


def annotate_task(client, coder, task):
    body = {"coder": coder, "article_id": task["article_id"], "paragraph": task["paragraph"], "frames": {}}
    return annotate(client, body).json()["annotations"][0]


def test_the_queue_has_random_and_uncertain_paragraphs_and_stays_until_they_are_coded(stored_corpus):
    tasks = queue(stored_corpus, "ann")
    assert 15 <= len(tasks) <= 20
    assert {task["selection"] for task in tasks} == {"random", "uncertain"}
    assert all(0 < task["inclusion_probability"] < 1 for task in tasks)
    fields = {"article_id", "paragraph", "text", "title", "outlet", "selection", "inclusion_probability", "overlap"}
    fields |= {"frames", "assignment", "due", "gold_item"}
    assert all(set(task) == fields for task in tasks)
    again = queue(stored_corpus, "ann")
    assert [key(task) for task in again[: len(tasks)]] == [key(task) for task in tasks]


def test_an_annotation_records_how_its_paragraph_was_drawn_and_the_paragraph_is_not_drawn_again(stored_corpus):
    seen = set()
    for _ in range(3):
        for task in queue(stored_corpus, "ann", 10):
            stored = annotate_task(stored_corpus, "ann", task)
            assert stored["selection"] == task["selection"]
            assert stored["inclusion_probability"] == task["inclusion_probability"]
            assert key(task) not in seen
            seen.add(key(task))
    assert len(in_force(stored_corpus, selection="random")) > 5


def test_coders_share_some_paragraphs_for_agreement_and_no_others(stored_corpus):
    first = queue(stored_corpus, "ann", 40)
    second = queue(stored_corpus, "ben", 40)
    shared = {key(task) for task in second if task["overlap"]}
    assert len(shared) == 8
    assert shared == {key(t) for t in first} & {key(t) for t in second}
    probability = {key(task): task["inclusion_probability"] for task in first}
    assert all(probability[key(t)] == t["inclusion_probability"] for t in second if t["overlap"])


def test_the_queue_ends_when_everything_is_coded(client):
    client.post("/v1/articles", json={"text": THREE_PARAGRAPHS})
    tasks = queue(client, "ann")
    assert [task["inclusion_probability"] for task in tasks] == [1.0] * 3
    for task in tasks:
        annotate_task(client, "ann", task)
    assert queue(client, "ann") == []


def test_of_wire_copy_a_single_article_is_drawn(client):
    for outlet in ("A", "B", "C"):
        client.post("/v1/articles", json={"text": THREE_PARAGRAPHS, "outlet": outlet})
    assert len(queue(client, "ann")) == 3


def test_annotations_are_exported_and_imported_to_the_same_paragraphs(client, article):
    for coder, frames in (("ann", {"foreign_hand": "contested"}), ("ben", {})):
        body = {"coder": coder, "article_id": article, "paragraph": 1, "frames": frames, "note": "hm"}
        annotate(client, {**body, "unsure": coder == "ann"})
    annotate(client, {"coder": "ann", "text": "The army moved in.", "source": "radio", "frames": {}})
    settled = {"coder": "prof", "role": "adjudicator", "article_id": article, "paragraph": 1}
    annotate(client, {**settled, "frames": {"foreign_hand": "reported"}})
    before = in_force(client)
    for name in FORMATS:
        exported = client.get("/v1/annotations/export", params={"format": name})
        assert exported.status_code == 200
        assert "attachment" in exported.headers["content-disposition"]
        for annotation in in_force(client):
            client.delete(f"/v1/annotations/{annotation['id']}")
        dry_run = client.post(
            "/v1/annotations/import", params={"format": name, "dry_run": True}, content=exported.content
        )
        counts = {"annotations": 4, "of_stored_articles": 3, "without_frames": 2, "adjudications": 1, "set_aside": 0}
        assert dry_run.json()["dry_run"]
        assert {field: dry_run.json()[field] for field in counts} == counts
        assert dry_run.json()["by_coder"] == {"ann": 2, "ben": 1, "prof": 1}
        assert dry_run.json()["by_frame"]["foreign_hand"] == 2
        assert in_force(client) == []
        assert (
            client.post("/v1/annotations/import", params={"format": name}, content=exported.content).status_code == 201
        )
        fields = ("coder", "role", "article_id", "paragraph", "text", "frames", "note", "source")
        assert sorted(str([a[k] for k in fields]) for a in in_force(client)) == sorted(
            str([a[k] for k in fields]) for a in before
        )


def test_a_bad_file_stores_nothing_and_names_its_rows(client):
    lines = '{"text": "A.", "label": []}\n{"text": "B.", "label": ["rain"]}\n{"label": []}\n{"text": 5}\n'
    response = client.post("/v1/annotations/import", params={"format": "doccano", "coder": "m"}, content=lines)
    assert response.status_code == 422
    faults = [error["detail"] for error in response.json()["errors"]]
    assert [fault.split(":")[0] for fault in faults[:2]] == ["line 3", "line 4"]
    assert faults[2].startswith("the codebook has no frame 'rain' (line 2)")
    nameless = client.post(
        "/v1/annotations/import", params={"format": "doccano"}, content='{"text": "A.", "label": ["foreign_hand"]}'
    )
    assert "name no coder" in nameless.json()["detail"]
    assert client.post("/v1/annotations/import", params={"format": "brat"}, content="x").status_code == 422
    assert in_force(client, history="true") == []


def test_a_file_of_which_nothing_would_be_stored_is_refused_with_the_reasons(client, framing, settings, tmp_path):
    for dry_run in (True, False):
        parameters = {"format": "doccano", "coder": "m", "dry_run": dry_run}
        content = '{"text": "A.", "label": []}\n{"text": "B.", "label": []}'
        response = client.post("/v1/annotations/import", params=parameters, content=content)
        assert response.status_code == 422
        assert "2 set aside: it has no label" in response.json()["errors"][1]["detail"]
    assert client.post("/v1/annotations/import", params={"format": "corpus"}, content="").status_code == 422
    (tmp_path / "in.json").write_text('[{"data": {"text": "A."}, "annotations": []}]', encoding="utf-8")
    refused = framing("import", "in.json", "--format", "label-studio", data_dir=settings.data_dir)
    assert (refused.returncode, "the task has no annotation (task 1)" in refused.stderr) == (1, True)
    assert in_force(client, history="true") == []


def test_options_say_what_fields_labels_and_coders_of_a_file_mean(client, framing, settings, tmp_path):
    rows = [
        {"body": "A.", "tags": ["Fremde Hand", "unclear"], "who": 1},
        {"body": "B.", "tags": ["nothing"], "who": 2},
        {"body": "C.", "tags": ["unclear"], "who": 2},
    ]
    content = "\n".join(map(json.dumps, rows))
    parameters = {
        "format": "doccano",
        "text_field": "body",
        "question": "tags",
        "coder_field": "who",
        "map": ["Fremde Hand=foreign_hand", "nothing=none"],
        "ignore": ["unclear"],
        "coder_map": ["1=mira", "2=tom"],
    }
    answer = client.post("/v1/annotations/import", params=parameters, content=content)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["by_coder"], answer.json()["without_frames"]) == ({"mira": 1, "tom": 1}, 1)
    reason = {"reason": "all of its labels are to be ignored", "count": 1, "first": ["line 3"]}
    assert (answer.json()["reasons"], answer.json()["ignored_labels"]) == ([reason], {"unclear": 2})
    stored = {annotation["coder"]: annotation["frames"] for annotation in in_force(client)}
    assert stored == {"mira": {"foreign_hand": "present"}, "tom": {}}
    (tmp_path / "in.jsonl").write_text(content, encoding="utf-8")
    options = ("--text-field", "body", "--question", "tags", "--coder-field", "who", "--ignore", "unclear")
    maps = ("--map", "Fremde Hand=foreign_hand", "--map", "nothing=none", "--coder-map", "1=mira")
    shown = framing(
        "import", "in.jsonl", "--format", "doccano", *options, *maps, "--dry-run", data_dir=settings.data_dir
    )
    assert shown.stdout.splitlines() == [
        "2 annotations by 2, mira would be stored.",
        "blame_on_leadership 0, foreign_hand 1, grievance_driven 0, militarized_response 0, no frame 1",
        "2 1, mira 1",
        "1 set aside: all of its labels are to be ignored (line 3)",
        "The label 'unclear' was left out 2 times.",
        "The file has only a number for a coder (2), which in another file may be somebody else: give names with "
        "--coder-map '2=NAME' (coder_map= in the API).",
    ]
    wrong = client.post("/v1/annotations/import", params={**parameters, "map": ["x"]}, content=content)
    assert (wrong.status_code, "A=B" in wrong.json()["detail"]) == (422, True)


def test_the_same_paragraph_under_two_names_of_a_coder_is_counted_once(client):
    rows = [{"text": "A.", "label": ["foreign_hand"], "coder": name} for name in ("1", "2")]
    parameters = {"format": "doccano", "coder_map": ["1=mira", "2=mira"]}
    content = "\n".join(map(json.dumps, rows))
    answer = client.post("/v1/annotations/import", params=parameters, content=content).json()
    assert (answer["annotations"], answer["set_aside"], len(in_force(client))) == (1, 1, 1)


def test_the_items_of_potato_are_a_second_file_or_in_the_same_zip(client, framing, settings, tmp_path):
    (tmp_path / "annotations.csv").write_text(
        "instance_id,user_id,frames.foreign_hand\n1,mira,True\n", encoding="utf-8"
    )
    (tmp_path / "items.jsonl").write_text('{"id": 1, "text": "A."}\n', encoding="utf-8")
    place = {"data_dir": settings.data_dir}
    missing = framing("import", "annotations.csv", "--format", "potato", **place)
    assert (missing.returncode, "--items" in missing.stderr) == (1, True)
    stored = framing("import", "annotations.csv", "--format", "potato", "--items", "items.jsonl", **place)
    assert stored.stdout.startswith("1 annotation by mira was stored.\n"), stored.stderr
    archive = zip_of({name: (tmp_path / name).read_bytes() for name in ("annotations.csv", "items.jsonl")})
    answer = client.post("/v1/annotations/import", params={"format": "potato"}, content=archive)
    assert (answer.status_code, answer.json()["by_frame"]["foreign_hand"]) == (201, 1)


def test_the_commands_import_and_export_do_the_same(framing, settings, tmp_path):
    place = {"data_dir": settings.data_dir}
    (tmp_path / "in.jsonl").write_text('{"text": "A.", "label": ["foreign_hand"]}\n', encoding="utf-8")
    dry_run = framing("import", "in.jsonl", "--format", "doccano", "--coder", "mira", "--dry-run", **place)
    assert dry_run.stdout.startswith("1 annotation by mira would be stored.\n")
    assert framing("import", "in.jsonl", "--format", "doccano", "--coder", "mira", **place).returncode == 0
    assert framing("export", "out.csv", "--format", "csv-long", **place).returncode == 0
    assert "mira,A.," in (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert framing("export", "-", "--format", "refi-qdc", **place).stdout.count("<Code ") == 16
    assert framing("export", "ours.jsonl", "--format", "corpus", **place).returncode == 0
    judged = framing("evaluate", "--coded", "ours.jsonl", "--json", **place)
    assert json.loads(judged.stdout)["figures"]["paragraphs"] == 1, judged.stderr
    assert "the formats are label-studio" in framing("export", "x", "--format", "brat", **place).stderr
    assert "Disagreements" not in framing("agreement", "--stored", **place).stderr


def test_stored_annotations_that_a_model_was_trained_on_are_judged_by_fold_models(
    client, framing, settings, challenger
):
    known, new = (
        client.post("/v1/articles", json={"text": f"{THREE_PARAGRAPHS}\n\nIt rained for {days} days in the valley."})
        for days in (3, 4)
    )
    for article in (known, new):
        annotate(client, {"coder": "mira", "article_id": article.json()["id"], "paragraph": 0, "frames": {}})
    annotate(client, {"coder": "mira", "text": "The army moved in.", "source": "radio", "frames": {}})
    card = replace(challenger.card, stored_articles=(known.json()["id"],))
    version = Registry(settings.models_location).register(replace(challenger, card=card)).version
    validation = framing("evaluate", "--stored", "--model", version, "--json", data_dir=settings.data_dir)
    assert validation.returncode == 0, validation.stderr
    figures = json.loads(validation.stdout)
    assert (figures["figures"]["paragraphs"], figures["cross_validated"], figures["left_out"]) == (2, 1, 0)
    assert any("scored by fold models that have not seen their articles" in note for note in figures["notes"])
    base = base_challenger(shipped_base("words"), seed=1)
    card = replace(base.card, stored_articles=card.stored_articles)
    before = Registry(settings.models_location).register(replace(base, card=card)).version
    validation = framing("evaluate", "--stored", "--model", before, "--json", data_dir=settings.data_dir)
    figures = json.loads(validation.stdout)
    assert (figures["figures"]["paragraphs"], figures["left_out"]) == (1, 1)
