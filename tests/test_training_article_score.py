"""The score of an article, and how it is fitted."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.annotations import read_corpus
from training.encoder.shipped import BASE_FOLDER
from training.encoder.vectors import VectorStore
from training.errors import TrainingDataError
from training.kinds.adapted import adapt_base
from training.making.article_card import fit_base
from training.making.article_fit import articles_of, fit_articles
from training.making.whole_articles import read_codes, texts_of
from training.registry.base import article_facts_without_base, read_base, shipped_base
from training.registry.card import card_from_json, card_to_json
from training.registry.learned import digest_of_text, learned_by_base
from training.scoring.article_score import article_logits, article_scores, power_sums, scores_of_articles
from training.scoring.classification import classify, cuts_at, merge_roll_ups
from training.scoring.compiled import sigmoid
from training.scoring.frame_model import FrameModel

KINDS = ("encoder", "encoder-small", "words")
FACTS = article_facts_without_base()
SHIPPED = [FACTS, *(shipped_base(kind).card.article for kind in KINDS)]

scores_of_a_frame = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def model(challenger):
    return FrameModel.of(challenger.pipeline, challenger.card)


@pytest.mark.parametrize("facts", SHIPPED)
def test_an_article_of_a_single_paragraph_has_the_score_of_the_paragraph(facts):
    scores = np.array([[0.003, 0.2, 0.5, 0.97]])
    assert article_scores(facts, scores) == pytest.approx(scores[0])


@pytest.mark.parametrize("facts", SHIPPED)
@given(scores=scores_of_a_frame, rise=st.floats(0, 1), place=st.integers(0, 39))
def test_the_score_of_an_article_never_falls_where_that_of_a_paragraph_rises(facts, scores, rise, place):
    before = np.array(scores)[:, None]
    after = before.copy()
    after[place % len(after)] += (1 - after[place % len(after)]) * rise
    assert article_scores(facts, after)[0] >= article_scores(facts, before)[0] - 1e-12


@given(scores=scores_of_a_frame)
def test_the_order_of_paragraphs_does_not_matter_and_every_score_is_a_probability(scores):
    column = np.array(scores)[:, None]
    forwards, backwards = article_scores(FACTS, column), article_scores(FACTS, column[::-1])
    assert forwards == pytest.approx(backwards)
    assert 0 <= forwards[0] <= 1


@pytest.mark.parametrize("facts", SHIPPED)
def test_a_doubtful_paragraph_says_less_of_a_long_article_than_of_a_short_one(facts):
    alone, among_many = np.array([[0.5]]), np.array([[0.5], *[[0.01]] * 29])
    assert article_scores(facts, among_many)[0] < article_scores(facts, alone)[0]


@pytest.mark.parametrize("facts", SHIPPED)
def test_several_doubtful_paragraphs_say_more_than_one(facts):
    together, single = np.array([[0.5]] * 5 + [[0.01]] * 5), np.array([[0.5]] + [[0.01]] * 9)
    assert article_scores(facts, together)[0] > article_scores(facts, single)[0] + 0.1


def test_articles_that_are_scored_together_have_the_scores_that_each_has_alone():
    scores = np.random.default_rng(1).random((12, 4))
    together = scores_of_articles(FACTS, scores, np.array([0, 1, 7]))
    alone = [article_scores(FACTS, part) for part in (scores[:1], scores[1:7], scores[7:])]
    assert together == pytest.approx(np.array(alone))


def test_without_facts_the_score_is_the_highest_of_the_paragraphs():
    scores = np.random.default_rng(2).random((5, 3))
    assert (article_scores(None, scores) == scores.max(axis=0)).all()


def test_an_article_is_decided_by_its_own_score_and_not_by_one_paragraph(model, corpus):
    decided_otherwise = 0
    texts = [p.text for p in corpus]
    for start in range(0, 1200, 12):
        part = texts[start : start + 12]
        classification = classify(model, part, cuts_at(model, "balanced", {}), explain=False)
        expected = article_scores(model.card.article, model.score(part))
        for score, frame in zip(expected, classification.article.values(), strict=True):
            cut = model.card.article.cuts["balanced"]
            assert frame.score == pytest.approx(score)
            assert (frame.decision == "present") == (frame.score >= cut.present_from)
            assert (frame.decision == "absent") == (frame.score < cut.absent_below)
            decided_otherwise += (frame.decision == "present") != bool(frame.paragraphs)
    assert decided_otherwise > 0


def test_a_callers_threshold_applies_to_the_score_of_the_article_as_to_those_of_paragraphs(model, corpus):
    texts, decisions = [p.text for p in corpus], set()
    for start in range(0, 800, 8):
        cuts = cuts_at(model, "balanced", {"foreign_hand": 0.3})
        frame = classify(model, texts[start : start + 8], cuts, explain=False).article["foreign_hand"]
        assert frame.decision == ("present" if frame.score >= 0.3 else "absent")
        decisions.add(frame.decision)
    assert decisions == {"present", "absent"}


@pytest.mark.parametrize("with_facts", [True, False])
@pytest.mark.parametrize("thresholds", [{}, {"foreign_hand": 0.2}])
def test_the_parts_of_an_article_merge_into_what_the_whole_article_has(challenger, corpus, with_facts, thresholds):
    card = challenger.card if with_facts else replace(challenger.card, article=None)
    model = FrameModel.of(challenger.pipeline, card)
    texts = [p.text for p in corpus[:300]]
    cuts = cuts_at(model, "balanced", thresholds)
    whole = classify(model, texts, cuts, explain=False).article
    parts = [texts[:100], texts[100:107], texts[107:]]
    merged = merge_roll_ups(
        model, cuts, [(model.score(part), classify(model, part, cuts, explain=False).article) for part in parts]
    )
    for key, frame in whole.items():
        assert (merged[key].score, merged[key].decision) == (frame.score, frame.decision)
        assert (merged[key].share, merged[key].paragraphs) == (frame.share, frame.paragraphs)
        assert merged[key].mean_score == pytest.approx(frame.mean_score)


def test_the_card_keeps_how_articles_are_scored_and_cards_without_it_can_be_read(challenger):
    assert card_from_json(card_to_json(challenger.card)).article == FACTS
    content = json.loads(card_to_json(challenger.card))
    del content["article"]
    assert card_from_json(json.dumps(content)).article is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_scores_articles_as_well_calibrated_as_chance_allows_and_three_of_four_present_ones_are_right(kind):
    facts = shipped_base(kind).card.article
    assert facts.ece <= facts.chance_ece
    assert facts.cuts["balanced"].precision >= 0.75
    assert facts.articles >= 200


def test_an_adapted_model_scores_articles_as_its_base_does(challenger, part_of_the_corpus, codebook, tmp_path):
    base = shipped_base("words")
    own = read_corpus(part_of_the_corpus, codebook)[:300]
    adapted = adapt_base(own, codebook, base, VectorStore(), seed=1)
    assert adapted.card.article == base.card.article != challenger.card.article


def test_annotated_articles_ship_without_texts_and_no_base_has_learned_from_them():
    articles = read_codes()
    frames = {frame for article in articles for carried in article.frames for frame in carried}
    assert frames == set(shipped_base("words").card.frames)
    for article in articles:
        assert len(set(article.digests)) == len(article.digests) == len(article.frames)
        assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in (article.name, *article.digests))
    of_articles = [digest for article in articles for digest in article.digests]
    for kind in ("encoder", "encoder-small", "words"):
        # Some paragraphs, such as notes of agencies, stand in several articles.
        assert sum(digest in learned_by_base(kind) for digest in of_articles) < 0.01 * len(of_articles)


def simulated(facts, articles, seed=5):
    """Articles that carry frames exactly as often as the facts say."""
    generator = np.random.default_rng(seed)
    names, rows = [], []
    for number in range(articles):
        size = int(generator.integers(1, 30))
        rows.append(sigmoid(generator.normal(-3, 2, (size, 2))))
        names += [f"a{number}"] * size
    scores = np.concatenate(rows)
    without = articles_of(names, scores, np.zeros(scores.shape, dtype=bool))
    carried = generator.random(without.carried.shape) < scores_of_articles(facts, without.scores, without.begins)
    return replace(without, carried=carried)


def test_fitting_finds_the_parameters_by_which_articles_were_simulated():
    truth = replace(FACTS, power=1.0, sharpness=0.2, accidents=0.5)
    fitted = fit_articles(simulated(truth, 4000), "simulated articles")
    assert (fitted.power, fitted.articles) == (1.0, 4000)
    assert fitted.sharpness == pytest.approx(0.2, abs=0.08)
    assert fitted.accidents == pytest.approx(0.5, abs=0.15)
    assert fitted.ece <= fitted.chance_ece * 1.2
    assert fitted.cuts["balanced"].precision >= 0.75


def test_weights_count_as_so_many_articles():
    truth = replace(FACTS, power=1.0, sharpness=0.0, accidents=0.3)
    once = simulated(truth, 300)
    doubled = replace(once, weights=np.full(300, 2.0))
    assert fit_articles(doubled, "").accidents != fit_articles(once, "").accidents  # the pull counts less
    assert fit_articles(doubled, "").cuts["high_recall"].recall == pytest.approx(
        fit_articles(once, "").cuts["high_recall"].recall, abs=0.03
    )


@pytest.fixture
def news(tmp_path):
    """A copy of the base of words, and invented articles: their annotations, and the file with their texts."""
    folder = tmp_path / "words"
    shutil.copytree(BASE_FOLDER / "words", folder)
    sentences = {
        "foreign_hand": "Officials accused the neighbouring state of arming the gunmen of district {n}.",
        None: "The library of district {n} opens an hour later on Mondays.",
    }
    codes, rows = [], []
    for number in range(60):
        carried = number % 3 == 0
        texts = [sentences[None].format(n=f"{number} {place}") for place in range(4)]
        texts[1] = sentences["foreign_hand" if carried else None].format(n=number)
        rows += [{"text": texts[place], "before": texts[place - 1] if place else ""} for place in (1, 3)]
        rows.append({"text": texts[0], "after": texts[1]})
        digests = [digest_of_text(text) for text in texts]
        frames = {digests[1]: ["foreign_hand"]} if carried else {}
        codes.append({"article": f"invented-{number}", "weight": 1.0, "paragraphs": digests, "frames": frames})
    for name, lines in (("codes.jsonl", codes), ("news.jsonl", rows)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder, tmp_path / "codes.jsonl", tmp_path / "news.jsonl"


def test_fitting_a_base_changes_nothing_on_its_card_but_how_it_scores_articles(news):
    folder, codes, texts = news
    before = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    facts = fit_base(folder, [texts], VectorStore(), codes=codes)
    after = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert after.pop("article") == json.loads(json.dumps(asdict(facts)))
    before.pop("article")
    assert after == before
    assert read_base(folder).card.article == facts
    assert facts.articles == 60
    assert facts.cuts["balanced"].recall > 0.9


def test_files_without_the_texts_of_the_articles_are_refused_with_how_many_are_missing(news):
    _, codes, texts = news
    lines = texts.read_text(encoding="utf-8").splitlines()
    broken = ['"no object"', '{"text": 3}', "not JSON"]
    texts.write_text("\n".join([*broken, *lines[:-3]]) + "\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match="4 of 240 paragraphs of the annotated articles are in none"):
        texts_of(read_codes(codes), [texts])


def test_the_formula_of_the_documents_is_the_one_that_is_computed():
    scores, facts = np.array([[0.5], [0.2], [0.05]]), replace(FACTS, power=1.0, sharpness=0.1, accidents=0.4)
    odds = 1 + 0.25 + 1 / 19
    expected = np.log(odds) * (1 + 0.1 * np.log(3)) - 0.4 * np.log(3)
    sums = power_sums(1.0, scores, np.array([0]))
    assert article_logits(sums, np.array([3]), 0.1, 0.4)[0, 0] == pytest.approx(expected)
    assert article_scores(facts, scores)[0] == pytest.approx(1 / (1 + np.exp(-expected)))
