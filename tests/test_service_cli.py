import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from labels.annotations import corpus_row
from service.cli import console
from service.cli.__main__ import app
from service.cli.installation import settings_table
from service.settings import is_loopback
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.files import write_lines
from tests.support.paths import ROOT
from training.hyperparameters import Hyperparameters
from training.registry.versions import Registry

COMMANDS = (
    *("serve", "worker", "import", "export", "train", "evaluate", "score", "models", "promote", "rollback"),
    *("settings", "codebook", "agreement", "doctor", "behaviour", "report"),
)


@pytest.fixture
def data(models_folder):
    return {"data_dir": models_folder.parent}


def test_help_lists_every_command_and_each_has_an_example_and_json(framing_process):
    overview = framing_process("--help")
    assert overview.returncode == 0
    for command in COMMANDS:
        assert command in overview.stdout
        text = CliRunner().invoke(app, [command, "--help"]).stdout
        assert "Example: " in text
        assert "--json" in text or command in ("serve", "worker")


def test_no_part_of_a_help_is_taken_for_a_style():
    texts = [text for command in every_command(get_command(app)) for text in helps_of(command)]
    assert len(texts) > 100
    for text in texts:
        assert Text.from_markup(text).plain == text


def test_square_brackets_in_names_of_users_are_shown(capsys):
    console.show_table("[Opinion] of May", ("Source", "Macro F1"), [("[red] herald", "0.5")])
    shown = capsys.readouterr().out
    assert "[Opinion] of May" in shown
    assert "[red] herald" in shown


def test_square_brackets_in_what_is_announced_are_shown(capsys):
    console.announce("week[1]/a[/b].csv is read as windows-1252.")
    assert capsys.readouterr().err == "week[1]/a[/b].csv is read as windows-1252.\n"


def every_command(command):
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from every_command(inner)


def helps_of(command):
    of_options = [getattr(option, "help", None) for option in command.params]
    return [text for text in (command.help, command.epilog, *of_options) if text]


def test_training_registers_and_only_the_first_model_becomes_champion(
    framing, framing_process, tmp_path, part_of_the_corpus
):
    first = framing_process("train", "--json", "--note", "first", data_dir=tmp_path, corpus=part_of_the_corpus)
    assert json.loads(first.stdout) == {"version": "v1", "champion": True}
    assert framing("train", "--if-no-champion", data_dir=tmp_path).stdout == ""
    second = framing("train", data_dir=tmp_path, corpus=part_of_the_corpus)
    assert "Registered as v2" in second.stdout
    assert "macro" in second.stdout
    listed = json.loads(framing("models", "--json", data_dir=tmp_path).stdout)
    assert (listed["champion"], [model["note"] for model in listed["models"]]) == ("v1", ["", "first"])


def test_hyperparameters_in_the_settings_hold_for_training_and_wrong_values_are_named(
    framing, tmp_path, part_of_the_corpus
):
    place = {"data_dir": tmp_path, "corpus": part_of_the_corpus}
    tuned = framing("train", "--json", hyperparameters='{"names": true, "characters": 3}', **place)
    assert json.loads(tuned.stdout)["version"] == "v1"
    parameters = Registry(tmp_path / "models").card("v1").hyperparameters
    assert (parameters["names"], parameters["characters"], parameters["forms"]) == (True, 3, Hyperparameters().forms)
    assert "militarized_response" in framing("score", "-", "--json", stdin="The army will crush them.", **place).stdout
    for wrong, named in (
        ('{"depth": 3}', "depth"),
        ('{"characters": 99}', "characters"),
        ('{"names', "not valid JSON"),
    ):
        done = framing("train", hyperparameters=wrong, **place)
        assert done.returncode == 2
        assert done.stderr.startswith("Error: FRAMING_HYPERPARAMETERS: ")
        assert named in done.stderr


def test_a_training_that_lacks_annotations_says_so_in_a_sentence(framing, tmp_path, corpus):
    few = write_lines(tmp_path / "few.jsonl", [corpus_row(p) for p in corpus[:20]])
    done = framing("train", data_dir=tmp_path, corpus=few)
    assert done.returncode == 1
    assert "Error: There are too few annotations to train" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_codebook_and_corpus_train_and_score_by_settings_alone(framing, tmp_path):
    from labels.annotations import write_corpus
    from tests.support.weather import WEATHER, weather

    (tmp_path / "weather.toml").write_text(WEATHER, encoding="utf-8")
    write_corpus(weather(), tmp_path / "weather.jsonl")
    place = {"data_dir": tmp_path, "codebook": tmp_path / "weather.toml", "corpus": tmp_path / "weather.jsonl"}
    assert framing("train", **place).returncode == 0
    done = framing("score", "-", "--json", stdin="Showers soaked the fair, people said.", **place)
    answer = json.loads(done.stdout)
    assert answer["article"]["frames"]["rain"]["decision"] == "present"
    assert answer["model"]["codebook_version"] == 2


def test_score_reads_text_html_json_lines_folders_and_standard_input(framing_process, data, tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "a.txt").write_text(THREE_PARAGRAPHS, encoding="utf-8")
    (folder / "b.html").write_text(f"<p>{THREE_PARAGRAPHS}</p>", encoding="utf-8")
    write_lines(folder / "c.jsonl", [{"text": THREE_PARAGRAPHS}, {"paragraphs": THREE_PARAGRAPHS.split("\n\n")}])
    (folder / "ignored.png").write_bytes(b"\x89PNG")
    done = framing_process("score", str(folder), "-", "--json", stdin=THREE_PARAGRAPHS, **data)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["source"].rsplit("/")[-1] for a in answers] == [
        "a.txt", "b.html", "c.jsonl line 1", "c.jsonl line 2", "standard input",
    ]  # fmt: skip
    assert all(a["article"]["frames"]["foreign_hand"]["decision"] == "present" for a in answers)


def test_score_shows_a_table_with_evidence_and_the_skipped_pieces(framing, data, tmp_path):
    (tmp_path / "a.txt").write_text(f"By Ilara Venn\n\n{THREE_PARAGRAPHS}", encoding="utf-8")
    text = framing("score", "a.txt", **data).stdout
    assert re.search(r"Foreign hand\s+│ present", text)
    assert re.search(r"neighbouring \+\d", text)
    assert "skipped (byline): By Ilara Venn" in text


def test_score_continues_after_an_article_that_cannot_be_scored_and_exits_with_1(framing, data, tmp_path):
    write_lines(tmp_path / "a.jsonl", [{"text": "Share this on"}, {"text": THREE_PARAGRAPHS}])
    done = framing("score", "a.jsonl", "--json", **data)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert "a.jsonl line 1: Nothing is left to score" in done.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "a.jsonl line 1: It is not valid JSON"),
        (b'{"text": 5}', "a.jsonl line 1: It is not an article: text:"),
        (b"[5]", "a.jsonl: It is not an article: it is not a JSON object"),
        (b"[]", "Error: Nothing could be scored. There is no article."),
        (b"\xff", "a.jsonl line 1: It is not valid JSON"),
    ],
)
def test_a_line_that_is_not_an_article_is_named(framing, data, tmp_path, content, sentence):
    (tmp_path / "a.jsonl").write_bytes(content)
    done = framing("score", "a.jsonl", **data)
    assert (done.returncode, f"\n{sentence}" in f"\n{done.stderr}") == (1, True), done.stderr
    assert framing("score", "missing.txt", **data).stderr.startswith("Error: missing.txt cannot be read")


def test_commands_that_only_show_something_do_not_import_the_libraries_of_training_and_serving():
    command = [sys.executable, "-X", "importtime", "-m", "service.cli", "codebook"]
    imported = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    modules = {line.split("|")[-1].strip() for line in imported.splitlines()}
    assert "rich.table" in modules
    assert modules.isdisjoint({"sklearn", "scipy", "fastapi", "sqlalchemy"})


def test_promote_and_rollback_name_the_champion_and_record_who_and_why(framing, data, registry, challenger):
    registry.register(challenger)
    done = framing("promote", "v2", "--reason", "better", "--by", "mira", **data)
    assert done.stdout == "v2 is the champion now. A rollback would lead to v1.\n"
    back = json.loads(framing("rollback", "--reason", "worse", "--by", "tom", "--json", **data).stdout)
    assert (back["version"], back["action"], back["by"]) == ("v1", "rollback", "tom")
    text = framing("models", **data).stdout
    assert re.search(r"│ v1 champion +│ words", text)
    assert "promote v2 by mira: better" in text
    assert "rollback v1 by tom: worse" in text
    assert framing("promote", "v9", "--reason", "x", **data).stderr == "Error: There is no model version 'v9'.\n"
    assert framing("promote", "v2", **data).returncode == 2


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_models_shows_every_figure_whole_and_below_it_what_it_was_measured_on(
    framing, data, registry, challenger, columns, monkeypatch
):
    monkeypatch.setattr(console.out, "width", columns)
    registry.register(replace(challenger, card=replace(challenger.card, note="[bold] after the March round")))
    card, lines = challenger.card, framing("models", **data).stdout.splitlines()
    for version in ("v1 champion", "v2"):
        [row] = [line for line in lines if line.startswith(f"│ {version} ")]
        assert f" {card.data.paragraphs:,} │" in row
        assert row.endswith(f" {card.held_out.macro.f1.value:.3f} │")
    text = " ".join(" ".join(lines).split())
    for evaluation in (card.held_out, card.left_out):
        value = evaluation.macro.f1.value
        assert text.count(f": macro F1 {value:.3f} on {evaluation.paragraphs:,} paragraphs: {evaluation.how};") == 2
    assert "v2: [bold] after the March round" in text


def test_evaluate_writes_tables_json_and_a_page(framing, tmp_path, part_of_the_corpus):
    done = framing("evaluate", "--json", "--html", "r/e.html", "--markdown", "r/e.md", corpus=part_of_the_corpus)
    report = json.loads(done.stdout)
    assert report["left_out"]["macro"]["f1"]["value"] > 0.6
    assert {b["how"] for b in report["baselines_left_out"]} == {"majority", "keywords"}
    assert "<svg" in (tmp_path / "r" / "e.html").read_text(encoding="utf-8")
    assert (tmp_path / "r" / "e.md").read_text(encoding="utf-8").startswith("# Evaluation")


def test_codebook_and_agreement_are_shown_as_tables_and_as_json(framing):
    assert "Foreign hand (foreign_hand)" in framing("codebook").stdout
    assert len(json.loads(framing("codebook", "--json").stdout)["frames"]) == 4
    assert "reliable" in framing("agreement").stdout
    alphas = {row["frame"]: row["alpha"] for row in json.loads(framing("agreement", "--json").stdout)}
    sheet = (ROOT / "labels" / "corpus" / "README.md").read_text(encoding="utf-8")
    for frame, alpha in alphas.items():
        assert f"| {frame} | {alpha:.3f} |" in sheet


def test_the_doctor_has_nothing_to_say_about_a_healthy_installation(framing_process, data):
    done = framing_process("doctor", **data)
    assert done.returncode == 0, done.stdout
    assert "FAULT" not in done.stdout


def test_the_doctor_names_each_planted_fault(framing, data, registry, challenger, tmp_path):
    registry.register(challenger)
    (registry.storage.folder / "versions" / "v2" / "pipeline.joblib").write_bytes(b"x")
    (registry.storage.folder / ".unfinished-abc").mkdir()
    (registry.storage.folder / "promotions" / "000001.json").write_text("{", encoding="utf-8")
    (data["data_dir"] / "framing.sqlite3").write_bytes(b"no database" * 100)
    done = framing("doctor", "--json", corpus=tmp_path / "nowhere", codebook=tmp_path / "none.toml", **data)
    assert done.returncode == 1
    faulty = {finding["subject"] for finding in json.loads(done.stdout) if not finding["ok"]}
    assert faulty >= {"model v2", "leftovers", "history", "champion", "database", "corpus", "codebook"}


def test_a_codebook_other_than_the_champions_is_noticed(framing, data, tmp_path, codebook):
    text = (
        (ROOT / "labels" / "codebook.toml")
        .read_text(encoding="utf-8")
        .replace(f"version = {codebook.version}", f"version = {codebook.version + 1}")
    )
    (tmp_path / "newer.toml").write_text(text, encoding="utf-8")
    done = framing("doctor", codebook=tmp_path / "newer.toml", **data)
    assert f"FAULT champion's codebook: The champion follows version {codebook.version}" in done.stdout


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"port": "abc"}, "FRAMING_PORT: Input should be a valid integer"),
        ({"host": "0.0.0.0"}, "Refusing to listen on 0.0.0.0"),
        ({"codebook": "nowhere.toml"}, "There is no codebook at nowhere.toml"),
        ({"log_level": "loud"}, "FRAMING_LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(framing_process, variables, sentence):
    done = framing_process("serve", **variables)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_only_addresses_of_this_machine_count_as_loopback():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", "localhost.example.org"):
        assert not is_loopback(host)


def test_the_document_of_settings_is_what_the_command_prints():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").strip() == settings_table().strip()


def test_fine_tuning_without_its_packages_is_refused_before_anything_is_read(framing, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    done = framing(
        "make-base", "--pretrained", "nowhere", "--annotated", "nowhere.jsonl", "--to", "base", data_dir=tmp_path
    )
    assert done.returncode == 1
    assert "Error: Install media-framing[finetune] to fine-tune an encoder." in done.stderr
