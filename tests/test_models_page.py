"""The models page as it is sent: verdicts in words, what a dialog says, and which sections stand open."""

import re
from dataclasses import replace

import pytest

from service.jobs.run_record import STEPS
from service.pages.models import STEP_NAMES, in_words
from service.store import training_runs
from training.evaluation import Figure
from training.promotion import FrameComparison, Verdict, first_model_verdict


def verdict(low, high, *, promote=False, loss=0.0):
    frame = FrameComparison("foreign_hand", 0.6, 0.6 - loss, Figure(-loss, -loss, -loss))
    gain = Figure((low + high) / 2, low, high)
    return Verdict(promote, "The reason.", "v1", 50, 20, 0.5, 0.5, gain, 0.5, (frame,))


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        (first_model_verdict(), "It is the first model"),
        (replace(verdict(0, 0), gain=Figure(None, None, None)), "Could not be compared with v1"),
        (verdict(0.01, 0.05, promote=True), "Better than v1"),
        (verdict(-0.05, -0.01), "Worse than v1"),
        (verdict(-0.05, 0.01), "No difference from v1 that these annotations can show"),
        (verdict(0.01, 0.05, loss=0.2), "Better than v1 on the whole, but worse on a frame"),
        (verdict(0.01, 0.05), "Too few annotations to say that it is better than v1"),
    ],
)
def test_a_verdict_is_written_in_words(judged, words):
    assert in_words(judged) == words


def test_the_steps_of_a_run_are_named_in_their_order():
    assert tuple(STEP_NAMES) == STEPS


def dialog(client, name):
    page = client.get("/models").text
    return re.search(rf'<dialog id="{name}".*?</dialog>', page, re.DOTALL).group()


def test_a_dialog_says_what_a_promotion_does_and_against_the_verdict_it_asks_for_a_tick(client, registry, challenger):
    for judged in (verdict(0.01, 0.05, promote=True), verdict(-0.05, -0.01)):
        registry.register(replace(challenger, card=replace(challenger.card, verdict=judged)))
    for_it, against_it = dialog(client, "promote-v2"), dialog(client, "promote-v3")
    assert "v2 answers all requests instead of v1" in for_it
    assert "does not count on the dashboard" in for_it
    assert 'name="force"' not in for_it
    assert re.search(r'name="force" value="true" required', against_it)
    assert "The verdict is against it. The reason." in against_it


def test_the_way_back_leads_to_the_version_before(client, registry, challenger):
    assert 'id="back"' not in client.get("/models").text
    registry.register(challenger)
    registry.promote("v2", by="mira", reason="better")
    assert "Go back to v1?" in dialog(client, "back")


def test_older_versions_are_folded_away_but_all_there(client, registry, challenger):
    for _ in range(4):
        registry.register(challenger)
    page = client.get("/models").text
    shown, _, folded = page.partition('<details class="older">')
    assert re.findall(r'<section class="card version" id="(v\d)"', shown) == ["v1", "v5", "v4"]
    assert re.findall(r'<section class="card version" id="(v\d)"', folded) == ["v3", "v2"]
    assert "2 older versions" in folded


def test_what_a_run_measured_is_shown_only_beside_the_champion_that_it_was_compared_with(
    client, registry, challenger, database
):
    registry.register(challenger)
    changes = {"counts": {"absent -> present": 3}, "examples": [], "present_before": 4, "present_after": 7}
    for champion, is_shown in (("v1", True), ("v7", False)):
        diff = {"champion": champion, "challenger": "v2", "paragraphs": 1, "frames": {"foreign_hand": changes}}
        with database.write() as connection:
            run = training_runs.create(connection, training_runs.RunRequest("a note"))
            training_runs.change(connection, run.id, version="v2", label_diff=diff, state="succeeded")
        section = re.search(
            r'<section class="card version" id="v2".*?</section>', client.get("/models").text, re.DOTALL
        )
        assert ("in 1 paragraph of the newest stored articles" in section.group()) == is_shown
        assert ("absent → present: 3" in section.group()) == is_shown
        assert ("present in 4 → 7" in section.group()) == is_shown
        with database.write() as connection:
            training_runs.change(connection, run.id, version=None)
