"""How good the champion is on a user's own articles: reliability tiers and weeks; and coders against adjudications."""

from datetime import date, timedelta

import pytest

MONDAY = date(2026, 3, 2)
FRAME = "militarized_response"


@pytest.fixture
def filled(client, corpus):
    """Forty articles of four paragraphs of the corpus over four weeks."""
    for number in range(40):
        texts = [paragraph.text for paragraph in corpus[number * 4 : number * 4 + 4]]
        published = (MONDAY + timedelta(days=number % 28)).isoformat()
        body = {"paragraphs": texts, "outlet": "Courier", "published_at": published, "force_language": "en"}
        assert client.post("/v1/articles", json=body).status_code == 201
    return client


def annotate_queue(client, corpus, coder="mira", n=200, change=lambda _task, frames: frames):
    """Annotates the paragraphs of the queue as the corpus does, or otherwise."""
    gold = {p.text: dict(p.annotations[0].frames) for p in corpus}
    tasks = client.post("/v1/coding-queue", json={"coder": coder, "n": n}).json()["tasks"]
    rows = [
        {
            "coder": coder,
            "article_id": task["article_id"],
            "paragraph": task["paragraph"],
            "frames": change(task, gold[task["text"]]),
        }
        for task in tasks
    ]
    assert client.post("/v1/annotations", json=rows).status_code == 201
    return tasks


def reliability(client, **parameters):
    answer = client.get("/v1/prevalence", params={"by": "", **parameters}).json()
    return {entry["frame"]: entry for entry in answer["reliability"]}, answer["rows"]


def test_a_frame_is_not_validated_until_enough_of_the_users_paragraphs_are_annotated(filled, corpus):
    of_frames, rows = reliability(filled)
    assert {row["reliability_tier"] for row in rows} == {"not_validated"}
    assert not of_frames[FRAME]["validated"]
    assert "of what the coding queue drew, 0 paragraphs of 0 articles are annotated" in of_frames[FRAME]["reading"]
    assert "not validated on your articles" in filled.get("/").text
    annotate_queue(filled, corpus)
    of_frames, rows = reliability(filled)
    assert (of_frames[FRAME]["validated"], of_frames[FRAME]["paragraphs"]) == (True, 160)
    assert of_frames[FRAME]["reading"].startswith("Validated on 160 annotated paragraphs of 40 of your articles")
    # Nobody else has coded the paragraphs, so nobody can say how far coders agree.
    assert (of_frames[FRAME]["alpha"], of_frames[FRAME]["reliability_tier"]) == (None, "C")
    assert of_frames[FRAME]["reading"].endswith("How far coders agree is unknown, so the tier is C.")
    assert {row["reliability_tier"] for row in rows if row["frame"] == FRAME} == {"C"}


def test_a_tier_follows_from_the_users_annotations_and_not_from_the_population_of_the_question(filled, corpus):
    def as_the_model(task, _frames):
        paragraph = filled.get(f"/v1/articles/{task['article_id']}").json()["paragraphs"][task["paragraph"]]
        return {key: "present" for key, frame in paragraph["frames"].items() if frame["decision"] == "present"}

    tasks = annotate_queue(filled, corpus, change=as_the_model)
    again = [
        {
            "coder": "ben",
            "article_id": task["article_id"],
            "paragraph": task["paragraph"],
            "frames": as_the_model(task, {}),
        }
        for task in tasks
    ]
    assert filled.post("/v1/annotations", json=again).status_code == 201
    of_frames, rows = reliability(filled, **{"to": "2026-03-03"})
    assert (of_frames[FRAME]["alpha"], of_frames[FRAME]["paragraphs"]) == (1.0, 160)
    assert of_frames[FRAME]["f1"] > 0.8
    assert {row["reliability_tier"] for row in rows if row["frame"] == FRAME} == {"A"}


def test_annotations_are_compared_with_the_champion_week_by_week(filled, corpus, framing, settings):
    empty = filled.get("/v1/models/weeks").json()
    assert (empty["weeks"], empty["f1"], empty["declined"]) == ([], None, False)
    assert "too few annotations" in empty["reading"]
    annotate_queue(filled, corpus)
    answer = filled.get("/v1/models/weeks").json()
    assert [week["week"] for week in answer["weeks"]] == ["2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23"]
    assert sum(week["paragraphs"] for week in answer["weeks"]) == answer["paragraphs"] == 160
    assert sum(week["articles"] for week in answer["weeks"]) == answer["articles"] == 40
    assert all(0 < week["f1"] <= 1 and week["lowest_by_chance"] < answer["f1"] for week in answer["weeks"])
    assert not answer["declined"]
    assert "Annotations by week against v1" in filled.get("/models").text
    shown = framing("agreement", "--weeks", data_dir=settings.data_dir)
    assert "2026-03-23" in shown.stdout
    assert answer["reading"] in shown.stdout
    assert "choose either" in framing("agreement", "--weeks", "--stored", data_dir=settings.data_dir).stderr


def test_a_week_in_which_the_model_is_wrong_throughout_is_said_to_decline(filled, corpus):
    days = {a["id"]: a["published_at"][:10] for a in filled.get("/v1/articles?limit=200").json()["articles"]}

    def reversed_in_the_last_week(task, frames):
        if days[task["article_id"]] < "2026-03-23":
            return frames
        return {} if frames else {FRAME: "advanced", "foreign_hand": "advanced"}

    annotate_queue(filled, corpus, change=reversed_in_the_last_week)
    answer = filled.get("/v1/models/weeks").json()
    assert [week["week"] for week in answer["weeks"] if week["declined"]] == ["2026-03-23"]
    assert answer["declined"]
    assert answer["reading"].startswith("In the week from 2026-03-23 the model agrees less with the coders")
    assert answer["reading"] in filled.get("/models").text


def test_each_coder_is_compared_with_the_adjudicated_label(client, framing, settings):
    settled = {0: {"foreign_hand": "reported"}, 1: {}, 2: {"foreign_hand": "reported"}}
    for number in range(4):
        text = {"text": f"Text {number}.", "source": "radio"}
        right = settled.get(number, {})
        for coder, frames in (("ann", right), ("ben", {} if right else {"foreign_hand": "reported"})):
            client.post("/v1/annotations", json={"coder": coder, **text, "frames": frames})
        if number in settled:
            body = {"coder": "ann", "role": "adjudicator", **text, "frames": right}
            assert client.post("/v1/annotations", json=body).status_code == 201
    answer = client.get("/v1/agreement").json()["with_adjudicated"]
    figures = {
        entry["coder"]: next(figure for figure in entry["frames"] if figure["frame"] == "foreign_hand")
        for entry in answer
    }
    assert {coder: (figure["percent"], figure["paragraphs"]) for coder, figure in figures.items()} == {
        "ann": (1.0, 3),
        "ben": (0.0, 3),
    }
    assert "the adjudicated label" in client.get("/coding", params={"coder": "ben"}).text
    assert "ben and the adjudicated label" in framing("agreement", "--stored", data_dir=settings.data_dir).stdout


def test_the_queue_says_why_it_gives_fewer_paragraphs_than_requested(client):
    def queue(**options):
        return client.post("/v1/coding-queue", json={"coder": "mira", "n": 20, **options}).json()

    assert queue()["fewer_because"] == "No paragraph is stored."
    texts = ["The army moved into the valley at dawn.", "Bread is cheaper than it was last year in the capital."]
    assert client.post("/v1/articles", json={"paragraphs": texts}).status_code == 201
    first = queue(n=2)
    assert (len(first["tasks"]), first["fewer_because"]) == (2, None)
    left = queue()
    assert left["fewer_because"] == "No other paragraph is left: of 2 stored, 0 are coded and 2 wait for a coder."
    task = left["tasks"][0]
    body = {"coder": "mira", "article_id": task["article_id"], "paragraph": task["paragraph"], "frames": {}}
    assert client.post("/v1/annotations", json=body).status_code == 201
    assert queue()["fewer_because"].endswith("of 2 stored, 1 are coded and 1 wait for a coder.")
    assert queue(whole=True)["fewer_because"].startswith("No article is left")
    lacking = client.get("/v1/coding-queue?coder=mira&later_frames=true").json()
    assert lacking["fewer_because"].startswith("No other paragraph that this coder has coded lacks")


def test_the_queue_says_that_what_is_left_repeats_others(client):
    text = "The minister said on Monday that the bridge over the river would be closed for repairs until the spring."
    for number in range(3):
        assert client.post("/v1/articles", json={"paragraphs": [text], "outlet": f"Post {number}"}).status_code == 201
    answer = client.post("/v1/coding-queue", json={"coder": "mira", "n": 5}).json()
    assert (len(answer["tasks"]), answer["fewer_because"].split(";")[0]) == (
        1,
        "The paragraphs that are left (2) repeat others almost word for word",
    )


def test_articles_without_a_date_are_counted_because_they_stand_where_they_arrived(filled):
    for number in range(3):
        text = f"The mayor of Lowtown opened bridge number {number} on a rainy morning, and the band played."
        assert filled.post("/v1/articles", json={"paragraphs": [text], "outlet": "Undated"}).status_code == 201
    assert filled.get("/v1/prevalence?by=week").json()["undated_articles"] == 3
    assert filled.get("/v1/prevalence?by=week&outlet=Courier").json()["undated_articles"] == 0
    assert filled.get("/v1/prevalence?by=week&to=2026-03-31").json()["undated_articles"] == 0


def test_a_profile_of_articles_counts_articles_and_says_how_many_paragraphs_carry_both_frames(filled):
    of_articles, of_paragraphs = (
        filled.get("/v1/profile", params={"unit": unit}).json() for unit in ("article", "paragraph")
    )
    assert of_articles["frames"][0]["total"] == 40
    assert (of_articles["articles"], of_articles["paragraphs"]) == (40, 160)
    for pair, same in zip(of_articles["pairs"], of_paragraphs["pairs"], strict=True):
        assert (pair["frame"], pair["other"], pair["paragraphs"]) == (same["frame"], same["other"], same["count"])
        assert same["count"] <= pair["count"] <= 40
        assert (pair["share"], same["share"]) == (pair["count"] / 40, same["count"] / 160)
