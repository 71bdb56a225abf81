import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.articles import THREE_PARAGRAPHS
from tests.support.http import pointers
from tests.support.paths import ROOT, SHARED

FRAMES = ["blame_on_leadership", "foreign_hand", "grievance_driven", "militarized_response"]


def classify(client, **body):
    return client.post("/v1/classify", json=body)


def assert_spans(text, answer):
    for paragraph in answer["paragraphs"]:
        assert text[paragraph["start"] : paragraph["end"]] == paragraph["text"]
        for frame in paragraph["frames"].values():
            for span in frame["evidence"]:
                assert text[span["start"] : span["end"]] == span["text"]
                assert paragraph["start"] <= span["start"] < span["end"] <= paragraph["end"]
    for piece in answer["skipped"]:
        assert text[piece["start"] : piece["end"]] == piece["text"]


def test_a_text_is_answered_with_frames_a_paragraph_and_for_the_article(client):
    response = classify(client, text=THREE_PARAGRAPHS, title="After the night train")
    answer = response.json()
    assert response.status_code == 200
    assert answer["model"] == {"version": "v1", "codebook_version": 2}
    assert (answer["language"], answer["operating_point"]) == ("en", "balanced")
    present = [
        [key for key, frame in p["frames"].items() if frame["decision"] == "present"] for p in answer["paragraphs"]
    ]
    assert present == [["blame_on_leadership"], ["foreign_hand"], []]
    assert list(answer["article"]["frames"]) == FRAMES
    assert answer["article"]["frames"]["foreign_hand"]["share"] == pytest.approx(1 / 3)
    assert answer["article"]["roll_up"] == {"rule": "article_score", "version": 2}
    assert_spans(THREE_PARAGRAPHS, answer)


def test_evidence_is_the_weightiest_first_and_can_be_left_out(client, settings):
    answer = classify(client, text=THREE_PARAGRAPHS).json()
    for paragraph in answer["paragraphs"]:
        for frame in paragraph["frames"].values():
            weights = [abs(span["weight"]) for span in frame["evidence"]]
            assert weights == sorted(weights, reverse=True)
            assert len(weights) <= settings.evidence_terms
    plain = classify(client, text=THREE_PARAGRAPHS, explain=False).json()
    assert "evidence" not in plain["paragraphs"][0]["frames"]["foreign_hand"]
    assert [p["frames"]["foreign_hand"]["score"] for p in plain["paragraphs"]] == [
        p["frames"]["foreign_hand"]["score"] for p in answer["paragraphs"]
    ]


def test_html_is_answered_with_the_text_that_its_offsets_count_in(client):
    page = "<html><body><h1>After the train</h1>" + "".join(f"<p>{p}</p>" for p in THREE_PARAGRAPHS.split("\n\n"))
    answer = classify(client, html=page).json()
    assert [p["text"] for p in answer["paragraphs"]] == THREE_PARAGRAPHS.split("\n\n")
    assert_spans(answer["text"], answer)


def test_paragraphs_of_the_caller_keep_their_numbers_and_of_a_text_what_is_skipped_has_none(client):
    given = ["Photo: Courier archive", *THREE_PARAGRAPHS.split("\n\n")]
    answer = classify(client, paragraphs=given).json()
    assert [(p["index"], p["text"]) for p in answer["paragraphs"]] == list(enumerate(given))
    assert answer["skipped"] == []
    assert_spans(answer["text"], answer)
    of_text = classify(client, text="\n\n".join(given)).json()
    assert [(p["index"], p["text"]) for p in of_text["paragraphs"]] == list(enumerate(given[1:]))
    assert [piece["text"] for piece in of_text["skipped"]] == given[:1]


def test_offsets_count_code_points_whatever_the_script(client):
    text = f"😀😀 Ünïcode İstanbul\u200b\n\n{THREE_PARAGRAPHS}\r\n\r\nA \u202eright-to-left\u202c mark, officials add."
    assert_spans(text, classify(client, text=text).json())


def test_operating_points_and_thresholds_move_decisions(client):
    def decisions(**options):
        answer = classify(client, text=THREE_PARAGRAPHS, **options).json()
        return [frame["decision"] for p in answer["paragraphs"] for frame in p["frames"].values()]

    assert decisions(operating_point="high_precision").count("present") <= decisions().count("present")
    assert decisions(operating_point="high_recall").count("absent") <= decisions().count("absent")
    assert decisions(thresholds=dict.fromkeys(FRAMES, 0)) == ["present"] * 12
    assert set(decisions(thresholds=dict.fromkeys(FRAMES, 0.5))) == {"present", "absent"}


def test_another_language_is_refused_unless_it_is_forced(client):
    text = "Le gouvernement a échoué à protéger la population civile, selon l'opposition."
    refused = classify(client, text=text)
    assert refused.status_code == 422
    assert "'fr'" in refused.json()["detail"]
    assert pointers(refused.json()) == ["/text"]
    assert classify(client, text=text, force_language="fr").json()["language"] == "fr"


def test_a_text_too_short_to_tell_its_language_is_scored(client):
    assert classify(client, text="xk jj").json()["language"] == "und"


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 422, ["/text"]),
        ({"text": ""}, 422, ["/text"]),
        ({"text": " \n "}, 422, ["/text"]),
        ({"text": "Share this on"}, 422, ["/text"]),
        ({"html": "<p></p>"}, 422, ["/html"]),
        ({"paragraphs": []}, 422, ["/paragraphs"]),
        ({"paragraphs": ["The army moved in.", ""]}, 422, ["/paragraphs/1"]),
        ({"paragraphs": ["The army moved in.", None]}, 422, ["/paragraphs/1"]),
        ({"paragraphs": "The army moved in."}, 422, ["/paragraphs"]),
        ({"text": "The army.", "html": "<p>The army.</p>"}, 422, ["/html"]),
        ({"text": "The army.", "html": "<p>x</p>", "paragraphs": ["x"]}, 422, ["/paragraphs"]),
        ({"text": 5}, 422, ["/text"]),
        ({"text": ["The army."]}, 422, ["/text"]),
        ({"text": "The army.\0"}, 422, ["/text"]),
        ({"text": "The army.", "thresholds": {"weather": 0.5}}, 422, ["/thresholds/weather"]),
        ({"text": "The army.", "thresholds": {"foreign_hand": 1.5}}, 422, ["/thresholds/foreign_hand"]),
        ({"text": "The army.", "thresholds": {"foreign_hand": "0.5"}}, 422, ["/thresholds/foreign_hand"]),
        ({"text": "The army.", "operating_point": "lucky"}, 422, ["/operating_point"]),
        ({"text": "The army.", "explain": "yes"}, 422, ["/explain"]),
        ({"text": "The army.", "force_language": "English"}, 422, ["/force_language"]),
        ({"text": "The army.", "champion": True}, 422, ["/champion"]),
        ({"text": "The army moved in. " * 60_000}, 413, ["/text"]),
        ({"paragraphs": ["The army moved in."] * 2001}, 413, ["/paragraphs"]),
        ({"text": "The army moved in.\n" * 2001}, 413, ["/text"]),
    ],
)
def test_bad_input_is_answered_with_a_problem_that_names_the_field(client, body, status, named):
    response = client.post("/v1/classify", json=body)
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert pointers(problem) == named
    assert problem["type"].startswith("urn:framing:problem:")
    assert problem["instance"] == "/v1/classify"
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b'{"text": "\xff\xfe"}', 400),
        ('{"text": "The army."}'.encode("utf-16"), 400),
        ("\ufeff{}".encode(), 422),
        (b'{"text": "\\ud800"}', 400),
        (b'{"text": "\\udc00\\ud800"}', 400),
        (b'{"text": "x", "thresholds": {"foreign_hand": NaN}}', 400),
        (b'{"text": "x", "thresholds": {"foreign_hand": 1e999}}', 422),
        (b'{"text": "x", "text": "y"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b'{"text": ' + b"1" * 10_000 + b"}", 400),
        (b'{"text": "' + b"x" * 9_000_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused_and_the_service_continues(client, raw, status):
    response = client.post("/v1/classify", content=raw, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in response.text
    assert classify(client, text="The army moved in.").status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle"])
def test_other_content_types_are_refused_and_the_answer_names_the_right_one(client, kind):
    for path in ("/v1/classify", "/v1/annotations", "/v1/coding-queue", "/v1/training-runs"):
        response = client.post(path, content=b'{"text": "The army."}', headers={"content-type": kind})
        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [""]
        assert "`Content-Type: application/json`" in response.json()["errors"][0]["detail"]


def test_a_chunked_body_without_a_declared_length_is_limited_too(client):
    def chunks():
        yield b'{"text": "'
        for _ in range(90):
            yield b"x" * 100_000
        yield b'"}'

    response = client.post("/v1/classify", content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_a_paragraph_with_a_surrogate_pair_is_a_character(client):
    raw = b'{"text": "The army moved in \\ud83d\\ude00 today."}'
    response = client.post("/v1/classify", content=raw, headers={"content-type": "application/json"})
    assert response.json()["paragraphs"][0]["text"] == "The army moved in 😀 today."


def test_a_mebibyte_of_text_is_scored(client):
    text = ("The army moved into the valley. " * 30 + "\n") * 1000
    text = text.encode()[: 2**20].decode()
    response = classify(client, text=text, explain=False)
    assert response.status_code == 200


def test_answers_to_requests_at_once_are_those_of_requests_alone(client, corpus):
    texts = [p.text for p in corpus[::100]]
    alone = [classify(client, text=text).json() for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: classify(client, text=text).json(), texts)) == alone


def test_the_article_of_the_documentation_carries_all_four_frames(client):
    body = json.loads((ROOT / "docs" / "example.json").read_text(encoding="utf-8"))
    answer = classify(client, text=body["text"]).json()
    assert [frame["decision"] for frame in answer["article"]["frames"].values()] == ["present"] * 4
    assert {piece["reason"] for piece in answer["skipped"]} == {"heading", "byline", "boilerplate"}


def test_the_real_sample_is_answered_as_it_is(client):
    sample = SHARED / "samples" / "article.txt"
    if not sample.is_file():
        pytest.skip("the sample is not beside this checkout")
    answer = classify(client, text=sample.read_text(encoding="utf-8")).json()
    assert len(answer["paragraphs"]) == 5
    assert [piece["reason"] for piece in answer["skipped"]] == ["heading", "heading", "caption"]
    assert answer["article"]["frames"]["grievance_driven"]["decision"] == "present"
    assert answer["article"]["frames"]["blame_on_leadership"]["decision"] == "present"
    assert answer["article"]["frames"]["militarized_response"]["decision"] == "present"


def test_a_long_answer_is_written_as_a_short_answer_is(client):
    paragraphs = [f'Minister {n} wrote "paragraphs":[] and {{left}} the army.' for n in range(150)]
    long = client.post("/v1/classify", json={"paragraphs": paragraphs}).json()
    assert [p["index"] for p in long["paragraphs"]] == list(range(150))
    short = client.post("/v1/classify", json={"paragraphs": paragraphs[100:140]}).json()
    assert [p["frames"] for p in long["paragraphs"][100:140]] != []
    assert [{f: r["score"] for f, r in p["frames"].items()} for p in long["paragraphs"][100:140]] == [
        {f: pytest.approx(r["score"]) for f, r in p["frames"].items()} for p in short["paragraphs"]
    ]
    assert list(long) == list(short)
