"""What a promotion would change: the answer of the API, held against the decisions of both models."""

from dataclasses import replace

import pytest

from service.models import changes
from training.registry.versions import Registry

FRAMES = ("blame_on_leadership", "foreign_hand", "grievance_driven", "militarized_response")


@pytest.fixture
def filled(client, registry, other_challenger, corpus):
    """A client of a service with twelve articles of five paragraphs each, and v2 that is not champion."""
    registry.register(other_challenger)
    for number in range(12):
        body = {
            "title": f"Article {number}",
            "outlet": "Harbour Post",
            "paragraphs": [paragraph.text for paragraph in corpus[number * 5 : number * 5 + 5]],
            "force_language": "en",
        }
        assert client.post("/v1/articles", json=body).status_code == 201
    return client


def changes_of(client, version="v2", **parameters):
    response = client.get(f"/v1/models/{version}/changes", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def decisions(client, registry, version, operating_point="balanced"):
    """The decision on every stored paragraph and frame once a version is champion."""
    if registry.champion().version != version:
        registry.promote(version, by="tests", reason="to see", force=True)
        client.app.state.services.champion.refresh()
    decided = {}
    for listed in client.get("/v1/articles?limit=100").json()["articles"]:
        article = client.get(f"/v1/articles/{listed['id']}").json()
        again = client.post(
            "/v1/classify",
            json={
                "paragraphs": [paragraph["text"] for paragraph in article["paragraphs"]],
                "operating_point": operating_point,
                "force_language": "en",
            },
        ).json()
        assert again["model"]["version"] == version
        for paragraph, answer in zip(article["paragraphs"], again["paragraphs"], strict=True):
            for frame, decision in answer["frames"].items():
                decided[listed["id"], paragraph["index"], frame] = decision
    return decided


def flips(before, after):
    return {place for place in before if before[place]["decision"] != after[place]["decision"]}


@pytest.mark.parametrize("operating_point", ["balanced", "high_recall"])
def test_what_would_change_is_what_both_models_decide_otherwise(filled, registry, operating_point):
    answer = changes_of(filled, operating_point=operating_point, examples=100)
    before, after = (decisions(filled, registry, version, operating_point) for version in ("v1", "v2"))
    changed = flips(before, after)
    assert changed
    assert (answer["champion"], answer["version"], answer["operating_point"]) == ("v1", "v2", operating_point)
    assert (answer["articles"], answer["next"]) == (12, None)
    assert answer["paragraphs"] == len({place[:2] for place in before})
    assert answer["changed_paragraphs"] == len({place[:2] for place in changed})
    for row in answer["frames"]:
        of_frame = {place for place in changed if place[2] == row["frame"]}
        assert sum(change["paragraphs"] for change in row["changes"]) == len(of_frame) == len(row["examples"])
        present = [sum(d[p]["decision"] == "present" for p in d if p[2] == row["frame"]) for d in (before, after)]
        assert [row["present_before"], row["present_after"]] == present
        for example in row["examples"]:
            place = (example["article_id"], example["paragraph"], row["frame"])
            assert place in of_frame
            assert (example["before"], example["after"]) == (before[place]["decision"], after[place]["decision"])
            assert example["champion_score"] == pytest.approx(before[place]["score"], abs=1e-3)
            assert example["version_score"] == pytest.approx(after[place]["score"], abs=1e-3)
            assert example["title"].startswith("Article ")
            assert example["outlet"] == "Harbour Post"


def test_a_comparison_goes_on_where_the_previous_answer_ended(filled):
    whole = changes_of(filled)
    pieces, cursor = [], None
    while not pieces or cursor:
        pieces.append(changes_of(filled, paragraphs=12, **({"cursor": cursor} if cursor else {})))
        cursor = pieces[-1]["next"]
    # Whole articles: an answer ends with the article that reaches the number.
    assert [piece["articles"] for piece in pieces] == [3, 3, 3, 3]
    assert sum(piece["paragraphs"] for piece in pieces) == whole["paragraphs"]
    assert sum(piece["changed_paragraphs"] for piece in pieces) == whole["changed_paragraphs"]
    for place, row in enumerate(whole["frames"]):
        assert sum(piece["frames"][place]["present_after"] for piece in pieces) == row["present_after"]


def test_an_answer_ends_in_time_and_says_where_to_continue(filled, monkeypatch):
    monkeypatch.setattr(changes, "_SECONDS", 0.0)
    articles, cursor = [], None
    while not articles or cursor:
        piece = changes_of(filled, **({"cursor": cursor} if cursor else {}))
        articles.append(piece["articles"])
        cursor = piece["next"]
    assert articles == [1] * 12


def test_examples_are_as_many_as_requested(filled):
    assert all(not row["examples"] for row in changes_of(filled, examples=0)["frames"])
    rows = changes_of(filled, examples=1)["frames"]
    assert {len(row["examples"]) for row in rows if row["changes"]} == {1}


def test_frames_that_a_single_model_has_are_named_and_not_compared(filled, registry, other_challenger):
    frames = dict(other_challenger.card.frames)
    renamed = {("sabotage" if key == FRAMES[2] else key): title for key, title in frames.items()}

    def of_card(values):
        return {("sabotage" if key == FRAMES[2] else key): value for key, value in values.items()}

    card = other_challenger.card
    card = replace(card, frames=renamed, cuts={point: of_card(cuts) for point, cuts in card.cuts.items()}, article=None)
    version = registry.register(replace(other_challenger, card=card)).version
    answer = changes_of(filled, version)
    assert (answer["only_champion"], answer["only_version"]) == ([FRAMES[2]], ["sabotage"])
    assert FRAMES[2] not in {row["frame"] for row in answer["frames"]}


def test_the_champion_is_not_compared_with_itself_and_unknown_versions_are_404(filled):
    same = filled.get("/v1/models/v1/changes")
    assert same.status_code == 409
    assert same.json()["detail"] == "'v1' is the champion itself, so promoting it would change nothing."
    assert filled.get("/v1/models/v9/changes").status_code == 404


def test_an_empty_store_has_nothing_to_compare(client, registry, other_challenger):
    registry.register(other_challenger)
    answer = changes_of(client)
    assert (answer["articles"], answer["paragraphs"], answer["next"]) == (0, 0, None)


def test_only_admins_may_have_models_compared(client, registry, other_challenger, key_of):
    registry.register(other_challenger)
    for role, status in (("reader", 403), ("submitter", 403), ("coder", 403), ("admin", 200)):
        answer = client.get("/v1/models/v2/changes", headers={"Authorization": f"Bearer {key_of[role]}"})
        assert answer.status_code == status, role


def test_an_article_that_is_too_long_for_an_encoder_is_left_out(tiny, monkeypatch):
    from starlette.testclient import TestClient

    from service.app import create_app

    registry = Registry(tiny.models_location)
    registry.adopt(registry.card("v1"), *_files_of(registry, "v1"))
    monkeypatch.setattr(changes, "_LONGEST_FOR_ENCODERS", 2)
    with TestClient(create_app(tiny)) as client:
        for count in (3, 2):
            texts = [f"Troops moved into the valley on day {number} of {count}." for number in range(count)]
            assert client.post("/v1/articles", json={"paragraphs": texts, "force_language": "en"}).status_code == 201
        answer = changes_of(client)
    assert (answer["articles"], answer["paragraphs"], answer["left_out"]) == (1, 2, 1)


def _files_of(registry, version):
    files = registry.files(version)
    return [files.get(name, b"") for name in ("pipeline.joblib", "scorer.npz", "training-paragraphs.sha256")]
