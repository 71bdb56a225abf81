"""A model judged on coded paragraphs that it never saw, from files of several kinds."""

import csv
import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from labels.annotations import Annotation, CodedParagraph, corpus_row
from labels.errors import CorpusError
from labels.exchange import ReadingOptions
from service.cli.evaluation import _notes
from tests.support.files import write_lines
from training.calibration import chance_calibration_error, expected_calibration_error
from training.dataset import is_held_out
from training.errors import ValidationDataError
from training.evaluation import evaluate
from training.registry.learned import digests_of
from training.reports.article_figures import article_figures
from training.reports.coded_files import (
    CodedArticle,
    DescribedParagraph,
    Text,
    read_articles,
    read_coded,
    read_exchanged,
    read_texts,
)
from training.reports.coded_report import evaluate_coded
from training.reports.poststratification import poststratified_weights
from training.reports.trained_on import Screen
from training.scoring.frame_model import FrameModel
from training.validation import validate

BLAME = "The government ignored every warning, and its negligence cost forty lives."
FORCE = "The army launched an operation and killed nine militants in an air strike."
WEATHER = "It rained in the valley all day, and the apples were washed off the trees."


def coded(text, frames, *, article="a1", index=0, source="Harbour Post", coder="mira"):
    return CodedParagraph(article, index, source, text, (Annotation(coder, dict.fromkeys(frames, "advanced")),))


def test_annotations_that_the_model_agrees_with_give_full_marks(model, codebook):
    validation = validate(
        model,
        codebook,
        [
            coded(BLAME, ["blame_on_leadership"]),
            coded(FORCE, ["militarized_response"], article="a2"),
            coded(WEATHER, [], article="a3"),
        ],
    )
    assert validation.disagreements == ()
    assert (validation.evaluation.paragraphs, validation.evaluation.articles) == (3, 3)
    figures = {figure.frame: figure for figure in validation.evaluation.frames}
    assert figures["blame_on_leadership"].f1.value == figures["militarized_response"].f1.value == 1
    assert figures["foreign_hand"].f1.value is None


def test_a_disagreement_names_the_words_that_spoke_for_the_frame_and_the_surest_comes_first(model, codebook):
    unsure = coded(BLAME, [], article="a2")
    validation = validate(model, codebook, [unsure, coded(FORCE, ["grievance_driven", "militarized_response"])])
    assert {(entry.frame, entry.coded) for entry in validation.disagreements} == {
        ("blame_on_leadership", False),
        ("grievance_driven", True),
    }
    differences = [abs(entry.coded - entry.score) for entry in validation.disagreements]
    assert differences == sorted(differences, reverse=True)
    [blamed] = [entry for entry in validation.disagreements if entry.frame == "blame_on_leadership"]
    assert "negligence" in blamed.words
    assert blamed.paragraph == unsure


def test_stances_are_judged_where_the_coders_specified_them(model, codebook):
    reported = "The ministry accused its neighbour of arming the rebels, a charge that the neighbour denies."
    frames = {"foreign_hand": "reported"}
    paragraph = replace(coded(reported, []), annotations=(Annotation("mira", frames),))
    validation = validate(model, codebook, [paragraph, coded(FORCE, ["militarized_response"], article="a2")])
    supports = {figure.frame: figure.support for figure in validation.stances.frames}
    assert supports == {"advanced": 1, "reported": 1, "contested": 0}
    assert validation.stances.micro.f1.value == 1
    unspecified = replace(paragraph, annotations=(Annotation("mira", {"foreign_hand": "present"}),))
    assert validate(model, codebook, [unspecified]).stances is None


def test_paragraphs_whose_coders_are_tied_are_left_out_and_counted(model, codebook):
    tied = replace(
        coded(BLAME, []), annotations=(Annotation("mira", {}), Annotation("tomas", {"foreign_hand": "reported"}))
    )
    validation = validate(model, codebook, [tied, coded(WEATHER, [], article="a2")])
    assert (validation.unsettled, validation.evaluation.paragraphs) == (1, 1)


def test_sources_of_the_training_are_named(model, codebook, corpus):
    validation = validate(
        model, codebook, [coded(WEATHER, [], source=corpus[0].source), coded(FORCE, [], article="a2")]
    )
    assert validation.sources_known == (corpus[0].source,)


def test_a_precise_point_calls_less_than_a_recalling_point(model, codebook, corpus):
    some = corpus[::20]
    called = {
        point: sum(
            figure.recall.value * figure.support for figure in validate(model, codebook, some, point).evaluation.frames
        )
        for point in ("high_precision", "balanced", "high_recall")
    }
    assert called["high_precision"] < called["balanced"] < called["high_recall"]


def test_no_paragraphs_or_another_codebook_is_an_error(model, codebook):
    with pytest.raises(ValidationDataError, match="no coded paragraph"):
        validate(model, codebook, [])
    card = replace(model.card, frames={"jobs": "Jobs"})
    with pytest.raises(ValidationDataError, match="has the frames jobs; the codebook has blame_on_leadership"):
        validate(FrameModel(model._scorer, card), codebook, [coded(WEATHER, [])])


def test_the_command_writes_figures_and_a_table_of_disagreements(framing, models_folder, tmp_path):
    rows = [
        coded(BLAME, ["foreign_hand"]),
        coded(f"=1+1 {FORCE}", ["militarized_response"], article="a2"),
        coded(f"@now {FORCE}", [], article="a3"),
    ]
    write_lines(tmp_path / "own.jsonl", map(corpus_row, rows))
    done = framing(
        "evaluate", "--coded", "own.jsonl", "--json", "--disagreements", "out/differ.csv", "--markdown", "out/table.md",
        data_dir=models_folder.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["version"], answer["notes"], answer["figures"]["paragraphs"]) == ("v1", [], 3)
    with (tmp_path / "out" / "differ.csv").open(encoding="utf-8", newline="") as file:
        differing = list(csv.DictReader(file))
    assert {(row["article"], row["frame"], row["coded"]) for row in differing} == {
        ("a1", "foreign_hand", "present"),
        ("a1", "blame_on_leadership", "absent"),
        ("a3", "militarized_response", "absent"),
    }
    assert all(not row["text"].startswith("@") for row in differing)
    assert "| militarized_response | 1 |" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--split", "dev"), "name either a file of coded paragraphs with --coded or --stored"),
        (("--strata", "v1"), "name either a file of coded paragraphs with --coded or --stored"),
        (("--stored", "--split", "dev"), "--split selects rows of files, and --stored reads none"),
        (("--stored", "--format", "doccano"), "--format is for a file of coded paragraphs"),
        (("--coded", "own.jsonl", "--stored"), "name either a file of coded paragraphs with --coded or --stored"),
        (("--coded", "own.jsonl", "--html", "page.html"), "--html and --cluster judge the pipeline"),
        (("--coded", "nowhere.jsonl"), "there is no such file or folder"),
        (("--stored", "--trained-on", "judge"), "for --stored, fold models score what was trained on"),
        (("--trained-on", "judge"), "name either a file of coded paragraphs"),
        (("--coded", "nowhere.jsonl", "--format", "doccano"), "No such file"),
        (("--coded", "nowhere.jsonl", "--format", "brat"), "the formats are label-studio"),
        (("--coded", "nowhere.jsonl", "--map", "A=foreign_hand"), "--map is about a file of another tool"),
        (("--coded", "nowhere.jsonl", "--format", "doccano", "--split", "dev"), "--format reads a file without splits"),
    ],
)
def test_a_mistake_is_a_sentence(framing, models_folder, arguments, sentence):
    done = framing("evaluate", *arguments, data_dir=models_folder.parent)
    assert done.returncode in (1, 2)
    assert sentence in " ".join(done.stderr.replace("│", " ").split())


def row(text, frames=(), **fields):
    return {"text": text, "article": "a1", "frames": list(frames), **fields}


def test_frames_may_be_a_list_or_have_stances_and_a_split_selects_rows(codebook, tmp_path):
    reported = {"foreign_hand": "reported"}
    rows = [
        row(
            BLAME,
            ["blame_on_leadership"],
            split="dev",
            outlet="Harbour Post",
            set="news",
            topic="Lowland",
            drawn="random",
        ),
        row(FORCE, split="train"),
        {**row(WEATHER, split="dev"), "frames": reported, "index": 7, "sure": 2},
    ]
    write_lines(tmp_path / "own.jsonl", rows)
    first, second = read_coded(tmp_path / "own.jsonl", codebook, split="dev")
    assert (first.paragraph.source, first.genre, first.topic, first.drawn) == (
        "Harbour Post",
        "news",
        "Lowland",
        "random",
    )
    assert first.paragraph.annotations[0].frames == {"blame_on_leadership": "present"}
    assert (second.paragraph.index, second.paragraph.annotations[0].frames) == (7, reported)
    assert len(read_coded(tmp_path / "own.jsonl", codebook)) == 3
    with pytest.raises(CorpusError, match="no row of the split 'held'"):
        read_coded(tmp_path / "own.jsonl", codebook, split="held")


def test_a_compressed_file_is_read_and_a_paragraph_without_an_article_is_an_article_itself(tmp_path):
    with gzip.open(tmp_path / "more.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"text": BLAME}) + "\n\n" + json.dumps({"text": FORCE, "article": "a9"}) + "\n")
    assert [(text.article, text.text) for text in read_texts(tmp_path / "more.jsonl.gz")] == [
        ("1", BLAME),
        ("a9", FORCE),
    ]


def test_files_of_other_tools_are_read(codebook, tmp_path):
    (tmp_path / "own.jsonl").write_text(json.dumps({"text": BLAME, "label": ["blame_on_leadership"]}) + "\n")
    (read,), _ = read_exchanged(tmp_path / "own.jsonl", codebook, "doccano")
    assert (read.paragraph.text, dict(read.paragraph.annotations[0].frames)) == (
        BLAME,
        {"blame_on_leadership": "present"},
    )


def test_files_of_other_tools_are_read_as_import_reads_them_and_what_is_set_aside_is_said(codebook, tmp_path):
    rows = ["body;rater;code", f"{BLAME};ana;Leaders — vor allem", f"{FORCE};ana;Weather"]
    (tmp_path / "own.csv").write_bytes("\n".join(rows).encode("windows-1252"))
    options = ReadingOptions(
        text_field="body",
        coder_field="rater",
        question="code",
        frames={"Leaders — vor allem": "blame_on_leadership"},
        ignored=frozenset({"Weather"}),
        encoding="windows-1252",
        delimiter="semicolon",
    )
    described, reading = read_exchanged(tmp_path / "own.csv", codebook, "csv-long", options)
    assert [(p.paragraph.text, [dict(a.frames) for a in p.paragraph.annotations]) for p in described] == [
        (BLAME, [{"blame_on_leadership": "present"}])
    ]
    assert "The label 'Weather' was left out 1 time." in reading.sentences
    assert sum(sentence.startswith("1 set aside: ") for sentence in reading.sentences) == 1
    nothing = replace(options, frames={}, ignored=frozenset({"Weather", "Leaders — vor allem"}))
    with pytest.raises(CorpusError, match="it has no annotation"):
        read_exchanged(tmp_path / "own.csv", codebook, "csv-long", nothing)


def test_a_frame_that_came_later_is_missing_from_files_of_an_earlier_version_and_not_absent(codebook, tmp_path):
    *earlier, last = codebook.frames
    today = replace(
        codebook, version=3, frames=(*earlier[:-1], replace(earlier[-1], formerly=("old",)), replace(last, since=3))
    )
    write_lines(tmp_path / "own.jsonl", [{**row(BLAME), "frames": ["old"], "codebook_version": 2}, row(FORCE)])
    first, second = read_coded(tmp_path / "own.jsonl", today)
    assert dict(first.paragraph.annotations[0].frames) == {earlier[-1].key: "present"}
    assert [read.paragraph.annotations[0].decides(last.key) for read in (first, second)] == [False, True]
    table = "text,coder,frame,stance,codebook_version,covered\r\n" + f'"{BLAME}",ana,,,2,\r\n{FORCE},ana,,,3,old\r\n'
    (tmp_path / "own.csv").write_text(table, encoding="utf-8")
    options = ReadingOptions(empty_means_none=True)
    (first, second), _ = read_exchanged(tmp_path / "own.csv", today, "csv-long", options)
    assert [first.paragraph.annotations[0].decides(frame.key) for frame in (earlier[-1], last)] == [True, False]
    assert [second.paragraph.annotations[0].decides(frame.key) for frame in (earlier[-1], last)] == [True, False]
    assert not second.paragraph.annotations[0].decides(earlier[0].key)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ({"article": ""}, "'article' must be a non-empty string"),
        ({"text": " "}, "'text' must be a non-empty string"),
        ({"frames": ["jobs"]}, "the codebook has no frame 'jobs'"),
        ({"frames": {"foreign_hand": "loud"}}, "'loud' is not a stance"),
        ({"frames": None}, "'frames' must be an object"),
        ({"topic": 3}, "'topic' must be a string"),
        ({"index": "3"}, "'index' must be a whole number"),
    ],
)
def test_each_bad_row_is_named(codebook, tmp_path, bad, fault):
    write_lines(tmp_path / "own.jsonl", [row(BLAME), {**row(FORCE), **bad}])
    with pytest.raises(CorpusError, match=f"line 2: {fault}"):
        read_coded(tmp_path / "own.jsonl", codebook)


def test_a_weight_counts_as_so_many_paragraphs():
    generator = np.random.default_rng(3)
    scores = generator.random((300, 2))
    targets = generator.random((300, 2)) < scores
    articles = generator.integers(0, 60, 300).astype(object)
    repeats = generator.integers(1, 4, 300)
    weights = np.repeat(repeats[:, None], 2, axis=1).astype(float)
    weighted = evaluate("", ("a", "b"), scores, scores > 0.5, targets, articles, weights=weights)
    repeated = [np.repeat(values, repeats, axis=0) for values in (scores, scores > 0.5, targets, articles)]
    plain = evaluate("", ("a", "b"), *repeated)
    assert weighted.macro == plain.macro
    assert weighted.ece == pytest.approx(plain.ece)
    assert weighted.frames[0].support == targets[:, 0].sum()


def test_post_stratification_undoes_a_choice_by_score():
    generator = np.random.default_rng(4)
    scores = generator.beta(0.5, 2, (40_000, 1))
    targets = generator.random(scores.shape) < scores
    chosen = generator.random(len(scores)) < 0.1 + 0.9 * scores[:, 0]
    weights = poststratified_weights(scores[chosen], scores[~chosen])
    assert targets[chosen].mean() > 1.5 * targets.mean()
    assert (weights * targets[chosen]).mean() == pytest.approx(targets.mean(), rel=0.03)
    assert weights.mean() == pytest.approx(1)


def test_scores_that_are_all_equal_are_a_single_stratum():
    assert poststratified_weights(np.full((5, 1), 0.5), np.full((9, 1), 0.2)).tolist() == [[1.0]] * 5


def test_a_calibrated_model_exceeds_its_chance_error_in_a_sample_of_twenty():
    generator = np.random.default_rng(5)
    scores = generator.random(400)
    bound = chance_calibration_error(scores)
    errors = [expected_calibration_error(scores, generator.random(400) < scores) for _ in range(400)]
    assert np.mean(np.array(errors) > bound) == pytest.approx(0.05, abs=0.03)
    assert chance_calibration_error(scores, np.full(400, 2.0)) == pytest.approx(bound)


@pytest.fixture(scope="module")
def described(corpus):
    """Two hundred paragraphs of the corpus in two outlets, every other drawn at random."""
    return [
        DescribedParagraph(
            replace(paragraph, source=f"Outlet {number % 2}"), "news", "", "random" if number % 4 else "likely"
        )
        for number, paragraph in enumerate(corpus[::40][:200])
    ]


def test_the_random_share_is_judged_alone_and_all_paragraphs_post_stratified(model, codebook, described):
    population = [Text("p1", WEATHER)] * 300
    report = evaluate_coded(model, codebook, described, population=population)
    assert (report.figures.paragraphs, report.population.paragraphs) == (150, 200)
    assert report.population_paragraphs == 500
    carried = {name: getattr(report, name).frames.carried[-1].value for name in ("figures", "population")}
    assert carried["population"] < carried["figures"] / 2
    assert report.enriched == ()
    assert [figures.paragraphs for figures in report.figures.frames.points.values()] == [150] * 3
    assert report.figures.stances.overall.macro.f1.value > report.figures.stances.majority.macro.f1.value
    assert all(0 < share.value < 1 for share in report.figures.frames.uncertain)


def test_without_a_way_of_drawing_there_is_a_single_table(model, codebook, described):
    report = evaluate_coded(model, codebook, [DescribedParagraph(row.paragraph) for row in described])
    assert report.population is None
    assert [(group.grouped_by, group.name, group.evaluation.paragraphs) for group in report.groups] == [
        ("outlet", "Outlet 0", 100),
        ("outlet", "Outlet 1", 100),
    ]


def learned_text(corpus):
    return next(p.text for p in corpus if not is_held_out(p.article) and p.annotations)


def test_paragraphs_that_the_model_learned_from_are_refused_by_their_text(framing, models_folder, tmp_path, corpus):
    """Another article id, index and white space do not hide them."""
    text = learned_text(corpus)
    rows = [row(BLAME), {**row(f" {text} ", article="ours"), "index": 7}, row(text.replace(" ", "  "), article="b")]
    write_lines(tmp_path / "own.jsonl", rows)
    done = framing("evaluate", "--coded", "own.jsonl", data_dir=models_folder.parent)
    assert done.returncode == 1
    sentence = "The model learned from 2 of these 3 paragraphs, so figures on them would be too good: article ours, "
    assert f"{sentence}paragraph 7; article b, paragraph 3." in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("choice", "paragraphs", "note"),
    [
        ("leave-out", 2, "1 paragraph that the model learned from was left out."),
        ("judge", 3, "1 paragraph that the model learned from counts in these figures, which are too good by that."),
    ],
)
def test_they_are_left_out_or_judged_on_if_the_user_says_so(
    framing, models_folder, tmp_path, corpus, choice, paragraphs, note
):
    write_lines(tmp_path / "own.jsonl", [row(BLAME), row(FORCE), row(learned_text(corpus))])
    done = framing(
        "evaluate", "--coded", "own.jsonl", "--trained-on", choice, "--json", "--markdown", "figures.md",
        data_dir=models_folder.parent,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert (answer["figures"]["paragraphs"], answer["notes"][0]) == (paragraphs, note)
    assert (tmp_path / "figures.md").read_text(encoding="utf-8").startswith(note)


def test_nothing_is_left_if_the_model_learned_from_all_of_them(framing, models_folder, tmp_path, corpus):
    write_lines(tmp_path / "own.jsonl", [row(learned_text(corpus))])
    done = framing("evaluate", "--coded", "own.jsonl", "--trained-on", "leave-out", data_dir=models_folder.parent)
    assert "The model learned from all of these paragraphs (1)" in " ".join(done.stderr.split())


def test_whole_articles_and_other_news_that_the_model_learned_from_are_refused_too(model, codebook, corpus):
    text = learned_text(corpus)
    screen, rows = Screen(digests_of([text])), [DescribedParagraph(coded(BLAME, []))]
    article = CodedArticle("a7", (coded(FORCE, [], article="a7"), coded(text, [], article="a7")), frozenset())
    with pytest.raises(ValidationDataError, match=r"1 of these 1 whole articles, .*: article a7"):
        evaluate_coded(model, codebook, rows, articles=[article], screen=screen)
    with pytest.raises(ValidationDataError, match=r"1 of these 2 paragraphs of other news, .*: article o2"):
        evaluate_coded(model, codebook, rows, other=[Text("o1", FORCE), Text("o2", text)], screen=screen)
    left = evaluate_coded(
        model, codebook, rows, other=[Text("o1", FORCE), Text("o2", text)], screen=replace(screen, choice="leave-out")
    )
    assert (left.other.paragraphs, left.left_out) == (1, 1)


def test_a_note_names_few_sources_of_the_training_and_counts_the_others(model, codebook, corpus):
    sources = sorted({paragraph.source for paragraph in corpus})
    rows = [DescribedParagraph(coded(WEATHER, [], source=source)) for source in sources]
    [note] = _notes(evaluate_coded(model, codebook, rows))
    known = sorted(model.card.data.sources)
    assert f"trained on {', '.join(known[:5])} and {len(known) - 5} more of these sources, on" in note


def test_small_groups_are_counted_together(model, codebook, described):
    rows = [replace(row, topic="Lowland" if number < 120 else f"{number}") for number, row in enumerate(described)]
    topics = [group for group in evaluate_coded(model, codebook, rows).groups if group.grouped_by == "topic"]
    assert [(group.name, group.evaluation.paragraphs) for group in topics] == [("Lowland", 120), ("others", 80)]
    assert topics[0].carrying == sum(any(a.frames for a in row.paragraph.annotations) for row in rows[:120])


def test_paragraphs_chosen_by_more_than_the_strata_show_are_named(model, codebook):
    """The model gives both texts the same score, but only paragraphs that carry the frame were chosen."""
    rows = [
        *(DescribedParagraph(coded(WEATHER, [], article=f"r{number}"), drawn="random") for number in range(40)),
        *(
            DescribedParagraph(coded(WEATHER, ["foreign_hand"], article=f"c{number}"), drawn="likely")
            for number in range(20)
        ),
    ]
    assert evaluate_coded(model, codebook, rows).enriched == ("foreign_hand",)


def test_other_paragraphs_given_a_frame_are_counted(model, codebook, described):
    report = evaluate_coded(model, codebook, described, other=[Text("o1", FORCE), Text("o2", WEATHER)])
    assert report.other.shares[codebook.keys.index("militarized_response")].value == 0.5
    assert report.other.shares[-1].value == 0.5
    assert len(report.other.shares) == len(codebook.keys) + 1


def test_articles_are_judged_by_the_frames_of_the_whole(model, codebook, described, tmp_path):
    paragraphs = [row(FORCE, ["militarized_response"]), row(WEATHER), {"text": "Advertisement", "boilerplate": True}]
    rows = [
        {"article": "a1", "frames": {"militarized_response": 2, "foreign_hand": 1}, "paragraphs": paragraphs},
        {"article": "a2", "frames": [], "paragraphs": [row(WEATHER)]},
    ]
    write_lines(tmp_path / "articles.jsonl", rows)
    articles = read_articles(tmp_path / "articles.jsonl", codebook, split="dev")
    report = evaluate_coded(model, codebook, described, articles=articles).articles
    figures = {figure.frame: figure for figure in report.evaluation.frames}
    assert (report.evaluation.paragraphs, figures["militarized_response"].f1.value) == (2, 1)
    assert figures["foreign_hand"].recall.value == 0
    shares = report.shares[codebook.keys.index("militarized_response")]
    assert (shares.annotated, shares.decided, shares.error) == (0.25, 0.25, 0)


def test_the_command_judges_files_of_every_kind(framing, models_folder, tmp_path):
    texts = [BLAME, FORCE, WEATHER] * 4
    rows = [
        row(text, article=f"a{number}", drawn="random" if number % 3 else "chosen") for number, text in enumerate(texts)
    ]
    for name in ("coded", "population", "other"):
        write_lines(tmp_path / f"{name}.jsonl", rows)
    write_lines(tmp_path / "articles.jsonl", [{"article": "a1", "frames": [], "paragraphs": rows}])
    files = [f"--{name}={name}.jsonl" for name in ("coded", "population", "other", "articles")]
    done = framing("evaluate", *files, "--strata", "v1", "--markdown", "table.md", data_dir=models_folder.parent)
    assert done.returncode == 0, done.stderr
    assert "Note: The post-stratified figures are about 24 paragraphs" in " ".join(done.stdout.split())
    markdown = (tmp_path / "table.md").read_text(encoding="utf-8")
    for title in (
        "drawn at random: 8 paragraphs",
        "post-stratified: 12 paragraphs",
        "Whole articles",
        "Other news: 12",
    ):
        assert title in markdown


def test_an_article_does_not_count_for_a_frame_that_came_after_it_was_coded():
    coded = np.array([[True, True], [True, False], [True, False], [True, True], [True, True]])
    targets = np.array([[True, True], [False, False], [False, False], [True, False], [False, False]])
    decisions = np.array([[True, True], [True, True], [True, True], [False, False], [False, False]])
    articles = np.array(["a", "a", "b", "c", "c"], dtype=object)
    figures = article_figures(("x", "y"), decisions.astype(float), decisions, targets, articles, coded=coded)
    old, new = figures.evaluation.frames
    # Of the frame y, article a carries it, b is not known, and c does not carry it.
    assert (old.precision.value, old.recall.value) == (0.5, 0.5)
    assert (new.precision.value, new.recall.value) == (1.0, 1.0)
    assert figures.shares[1].annotated == figures.shares[1].decided == 0.5
    complete = article_figures(("x", "y"), decisions.astype(float), decisions, targets, articles)
    assert complete.evaluation.frames[1].precision.value == 0.5
    assert complete.shares[1].decided == pytest.approx((1 + 1 + 0) / 3)
