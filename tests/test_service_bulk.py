"""`framing score --to`: the same files with every executor, nothing twice, nothing lost."""

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.annotations import read_corpus
from service.bulk import inputs as module
from service.bulk.executors import Cluster, Processes, ThisProcess
from service.bulk.inputs import InputError, find_files, plan
from service.bulk.job import Job, run
from service.bulk.outputs import OutputError
from service.bulk.records import pieces, read_records
from service.bulk.scoring import Options
from service.cli.scoring import _executor
from tests.support.articles import THREE_PARAGRAPHS
from tests.support.files import write_lines
from tests.support.paths import ROOT
from tests.support.waiting import wait_until


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "_PART_BYTES", 3000)
    monkeypatch.setattr(module, "_BLOCK", 700)


@pytest.fixture
def articles(corpus):
    """Forty articles, the eighth of which cannot be scored."""
    articles = [
        {
            "external_id": f"a{n}",
            "outlet": 'The "Ilara" Post, weekly',
            "published_at": "2026-03-01",
            "text": f"{corpus[n].text}\n\n{corpus[n + 40].text}",
        }
        for n in range(40)
    ]
    articles[7]["text"] = "Share this on"
    return articles


@pytest.fixture
def job(registry, settings, tmp_path):
    def make(to="out", file_format="jsonl", columns=None, **options):
        model = registry.load("v1")
        return Job(str(tmp_path / to), file_format, columns or {}, Options(**options), settings, model)

    return make


def done(job, *inputs, executor=None):
    """Runs a job on some inputs; returns its summary, its files, and their rows."""
    summary = run(job, [str(name) for name in inputs], executor or ThisProcess(), lambda _done, _share: None)
    files = {path.name: path.read_bytes() for path in sorted(Path(job.output).glob("part-*"))}
    if job.file_format == "parquet":
        rows = [row for content in files.values() for row in pq.read_table(io.BytesIO(content)).to_pylist()]
    else:
        rows = [json.loads(line) for content in files.values() for line in content.splitlines()]
    return summary, files, rows


def test_scores_are_those_of_the_api_and_an_article_that_cannot_be_scored_says_why(job, articles, tmp_path, client):
    write_lines(tmp_path / "a.jsonl", articles)
    summary, _, rows = done(job(), tmp_path / "a.jsonl")
    assert (summary.articles, summary.problems) == (39, 1)
    assert summary.paragraphs == len([row for row in rows if row["problem"] is None])
    for number, article in enumerate(articles, 1):
        own = [row for row in rows if row["record"] == number]
        answer = client.post("/v1/classify", json={"text": article["text"]})
        if answer.status_code != 200:
            [row] = own
            assert row["problem"] == answer.json()["detail"]
            assert (row["external_id"], row["paragraph"], row["foreign_hand_score"]) == ("a7", None, None)
            continue
        for row, paragraph in zip(own, answer.json()["paragraphs"], strict=True):
            assert (row["outlet"], row["published_at"]) == ('The "Ilara" Post, weekly', "2026-03-01")
            assert (row["paragraph"], row["start"], row["end"]) == tuple(
                paragraph[name] for name in ("index", "start", "end")
            )
            for frame, answer_of_frame in paragraph["frames"].items():
                assert row[f"{frame}_score"] == pytest.approx(answer_of_frame["score"], abs=1e-12)
                assert row[f"{frame}_decision"] == answer_of_frame["decision"]
            for frame, of_article in answer.json()["article"]["frames"].items():
                assert row[f"article_{frame}_score"] == pytest.approx(of_article["score"], abs=1e-12)
                assert row[f"article_{frame}_decision"] == of_article["decision"]


def test_lines_tables_parquet_and_compressed_files_give_the_same_rows(job, articles, tmp_path, small_parts):
    lines = write_lines(tmp_path / "a.jsonl", articles)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.read_bytes()))
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow(["external_id", "outlet", "published_at", "body", "colour"])
        table.writerows([*article.values(), "red"] for article in articles)
    pq.write_table(pa.Table.from_pylist(articles), tmp_path / "a.parquet", row_group_size=7)
    rows_of = {}
    for name in ("a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"):
        columns = {"text": "body"} if name == "a.csv" else None
        _, files, rows = done(job(name.replace(".", "-"), "parquet", columns, with_text=True), tmp_path / name)
        rows_of[name] = [{**row, "source": None} for row in rows]
        assert {row["source"] for row in rows} == {str(tmp_path / name)}
        assert len(files) > (5 if name in ("a.jsonl", "a.csv") else 0)
    assert rows_of["a.jsonl"] == rows_of["a.jsonl.gz"] == rows_of["a.csv"] == rows_of["a.parquet"]
    assert any(row["text"] for row in rows_of["a.csv"])


def test_the_number_of_processes_does_not_change_the_files(job, articles, tmp_path, small_parts):
    folder = tmp_path / "in"
    folder.mkdir()
    write_lines(folder / "a.jsonl", articles)
    (folder / "b.txt").write_text(THREE_PARAGRAPHS, encoding="utf-8")
    (folder / "c.html").write_text(f"<p>{THREE_PARAGRAPHS}</p>", encoding="utf-8")
    (folder / "d.png").write_bytes(b"\x89PNG")
    alone, together = (
        done(job("alone", "parquet"), folder),
        done(job("together", "parquet"), folder, executor=Processes(2)),
    )
    assert alone[1] == together[1]
    assert len(alone[1]) > 5
    assert (Path(job("together").output) / "_SUCCESS").exists()
    assert pq.read_table(job("together").output).num_rows == alone[0].paragraphs + 1


class StopsEarly(ThisProcess):
    def run(self, job, tasks):
        for number, progress in enumerate(super().run(job, tasks)):
            if number == 5:
                raise KeyboardInterrupt
            yield progress


@pytest.mark.parametrize(
    ("name", "amount"),
    [("a.jsonl", r"about [78]\d paragraphs"), ("a.jsonl.gz", r"1,000 articles of [12]\.\d paragraphs")],
)
def test_the_time_is_announced_before_the_first_file_is_made(job, articles, tmp_path, small_parts, name, amount):
    lines = write_lines(tmp_path / "a.jsonl", articles).read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    events = []
    run(job(), [str(tmp_path / name)], ThisProcess(), lambda done, _: events.append(done.paragraphs), events.append)
    sentence, *progress = events
    assert re.match(rf"Scoring {amount}.*: about 1 second at .*; others would take: a small encoder about", sentence)
    assert progress[0] == 0
    assert progress[-1] == 78


def test_an_encoder_scores_in_a_single_process_into_smaller_files(job, articles, tmp_path):
    assert isinstance(_executor(ExitStack(), 4, None, "encoder"), ThisProcess)
    assert isinstance(_executor(ExitStack(), 4, None, "words"), Processes)
    write_lines(tmp_path / "a.jsonl", [{**article, "title": "x" * 30_000} for article in articles])
    files, _ = find_files([str(tmp_path / "a.jsonl")])
    assert job().fineness == len(list(plan(files))) == 1
    assert len(list(plan(files, 8))) == 2


def test_an_interrupted_job_resumes_with_the_missing_files(job, articles, tmp_path, small_parts):
    source = write_lines(tmp_path / "a.jsonl", articles)
    whole = done(job("whole"), source)
    with pytest.raises(KeyboardInterrupt):
        done(job("broken"), source, executor=StopsEarly())
    output = Path(job("broken").output)
    before = {path: path.stat().st_mtime_ns for path in output.glob("part-*")}
    assert 0 < len(before) < len(whole[1])
    assert not (output / "_SUCCESS").exists()
    resumed = done(job("broken"), source)
    assert resumed[1] == whole[1]
    assert resumed[0].files_reused == len(before)
    assert resumed[0].articles < whole[0].articles
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_with_the_output_of_another_job_is_refused(job, articles, tmp_path):
    source = write_lines(tmp_path / "a.jsonl", articles)
    done(job(), source)
    with pytest.raises(OutputError, match="another job"):
        done(job(operating_point="high_recall"), source)
    write_lines(tmp_path / "a.jsonl", articles[:5])
    with pytest.raises(OutputError, match="another job"):
        done(job(), source)


BROKEN = {
    "columns.csv": (b"id,body\n1,x\n", "no column named text"),
    "empty.csv": (b"", "a table begins with the names of its columns"),
    "binary.csv": (b"\x89PNG\r\n\0\0\0\r", "It is not text"),
    "broken.parquet": (b"PAR1 not really", "not a Parquet file"),
    "panic.parquet": (b"PAR1" + b"\xff" * 400 + b"\x50\x01\0\0PAR1", "not a Parquet file"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}', mtime=0)[:-9], "It cannot be read: Compressed file ended"),
    "bits.jsonl.gz": (gzip.compress(b"", mtime=0)[:10] + b"\xff" * 40, "It cannot be read: Error -3"),
    "bomb.txt.gz": (gzip.compress(b"a" * 2**23, mtime=0), "packed more than 200 times"),
    "broken.zip": (b"PK\x03\x04 not really", "not a zip file"),
    "broken.json": (b"{", "not valid JSON"),
    "broken.pdf": (b"%PDF-1.4 not really", "not a PDF file"),
    "broken.docx": (b"PK\x03\x04 not really", "not a Word document"),
    "binary.txt": (b"a\0b\0\0", "It is not text"),
}


def test_a_bad_file_of_a_folder_is_a_row_that_says_why_and_the_others_are_scored(job, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, (content, _) in BROKEN.items():
        (folder / name).write_bytes(content)
    (folder / "good.txt").write_text(THREE_PARAGRAPHS, encoding="utf-8")
    (folder / "picture.jpg").write_bytes(b"\xff\xd8")
    summary, _, rows = done(job(), folder)
    assert (summary.articles, summary.problems) == (1, len(BROKEN))
    problems = {row["source"].rsplit("/")[-1]: row["problem"] for row in rows if row["problem"]}
    assert {name: sentence in problems.get(name, "") for name, (_, sentence) in BROKEN.items()} == dict.fromkeys(
        BROKEN, True
    )
    assert (summary.files_passed_over, len(summary.passed_over)) == (1, 1)
    assert not summary.is_in_vain


def test_nothing_to_score_is_a_failure_that_says_why(framing, models_folder, tmp_path):
    (tmp_path / "a.csv").write_text("id,body\n1,x\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    place = {"data_dir": models_folder.parent}
    failed = framing("score", "a.csv", "--to", "scores", **place)
    assert failed.returncode == 1
    assert "Nothing could be scored. a.csv: It has no column named text" in failed.stderr
    assert framing("score", "empty", "--to", "other", **place).returncode == 1


def test_an_input_that_does_not_exist_is_refused(job):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        done(job("other"), "missing.csv")
    with pytest.raises(InputError, match="matches no file"):
        done(job("other"), "*.nothing")
    with pytest.raises(InputError, match="Scoring of standard input cannot be resumed"):
        done(job("other"), "-")


_CELL = st.text(st.sampled_from('a,"\n\r é'), max_size=8)


@given(st.lists(st.tuples(_CELL, _CELL), max_size=30), st.integers(1, 60), st.integers(1, 40))
def test_the_ranges_of_a_table_are_whole_rows_wherever_it_is_cut(tmp_path_factory, rows, part_bytes, block):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "outlet"), *rows])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_PART_BYTES", part_bytes)
        patched.setattr(module, "_BLOCK", block)
        parts = list(plan(find_files([str(path)])[0]))
        records = [record for part in parts for piece in pieces(part, {}) for record in piece.records]
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    assert [(r.fields.get("text", ""), r.fields.get("outlet", "")) for r in records] == filled
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]


def test_a_bucket_is_read_from_and_written_to(job, articles, tmp_path, s3, settings):
    from dataclasses import replace

    from tests.support.s3 import new_bucket
    from training.registry.storage import storage_at

    url = new_bucket()
    local = write_lines(tmp_path / "a.jsonl", articles)
    storage_at(url).write("in/a.jsonl", local.read_bytes())
    run(replace(job(), output=f"{url}/out"), [f"{url}/in"], ThisProcess(), lambda _done, _share: None)
    _, files, _ = done(job("local"), local)
    remote = storage_at(f"{url}/out")
    assert remote.files("") == {"_SUCCESS", "_plan.json", *files}
    rows = [json.loads(line) for name in files for line in remote.read(name).splitlines()]
    expected = [json.loads(line) for content in files.values() for line in content.splitlines()]
    assert [{**row, "source": ""} for row in rows] == [{**row, "source": ""} for row in expected]
    assert rows[0]["source"] == f"{url}/in/a.jsonl"


def test_a_cluster_survives_the_loss_of_a_worker_and_trains_folds(
    job, articles, tmp_path, small_parts, part_of_the_corpus, codebook
):
    import joblib

    from service.bulk.cluster import cluster
    from training.cross_validation import leave_out
    from training.dataset import build_dataset
    from training.hyperparameters import Hyperparameters

    source = write_lines(tmp_path / "a.jsonl", articles * 12)
    place = tmp_path / "scheduler.json"
    scheduler = _dask("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", place)
    wait_until(place.exists, "the scheduler", process=scheduler)
    workers = [_dask("worker", "--scheduler-file", place, "--nthreads", "1", "--no-nanny") for _ in range(2)]
    address = json.loads(place.read_text())["address"]
    try:
        with cluster(address) as client:
            client.wait_for_workers(2)
            executor = KillsOne(client, workers[0])
            together = done(job("cluster"), source, executor=executor)
            assert executor.killed
            dataset = build_dataset(read_corpus(part_of_the_corpus, codebook), codebook)
            with joblib.parallel_config("dask"):
                folds = leave_out(dataset, Hyperparameters(), 1, jobs=-1)
    finally:
        for process in [*workers, scheduler]:
            process.kill()
            process.wait()
    alone = done(job("alone"), source)
    assert (together[1], together[0].articles) == (alone[1], alone[0].articles)
    assert (folds.logits == leave_out(dataset, Hyperparameters(), 1).logits).all()


@pytest.fixture
def other_network(tmp_path):
    """An address of this machine, and the start of commands that run in another network, from which it is reachable."""
    name, here, there = f"framing{os.getpid()}", f"fra{os.getpid()}", f"frb{os.getpid()}"
    net = f"10.213.{os.getpid() % 250}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {here} type veth peer name {there} netns {name}",
        f"ip addr add {net}.1/30 dev {here}",
        f"ip link set {here} up",
        f"ip -n {name} addr add {net}.2/30 dev {there}",
        f"ip -n {name} link set {there} up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for command in commands:
            try:
                subprocess.run(command.split(), check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("This machine does not allow network namespaces.")
        yield f"{net}.1", ["ip", "netns", "exec", name]
    finally:
        with suppress(OSError):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def test_a_worker_in_another_network_makes_the_same_files(job, articles, tmp_path, small_parts, other_network):
    from service.bulk.cluster import cluster

    host, inside = other_network
    source, place = write_lines(tmp_path / "a.jsonl", articles), tmp_path / "scheduler.json"
    processes = [_dask("scheduler", "--port", "0", "--host", host, "--scheduler-file", place)]
    wait_until(place.exists, "the scheduler", process=processes[0])
    processes.append(_dask("worker", "--scheduler-file", place, "--nthreads", "1", "--no-nanny", inside=inside))
    try:
        with cluster(json.loads(place.read_text())["address"]) as client:
            client.wait_for_workers(1)
            [worker] = client.scheduler_info()["workers"]
            assert f"//{host[:-2]}.2:" in worker
            assert done(job("there"), source, executor=Cluster(client))[1] == done(job("here"), source)[1]
    finally:
        for process in processes[::-1]:
            process.kill()
            process.wait()


class KillsOne(Cluster):
    """Kills a worker after a few files."""

    def __init__(self, client, victim):
        super().__init__(client)
        self.victim, self.killed = victim, False

    def run(self, job, tasks):
        for number, progress in enumerate(super().run(job, tasks)):
            if number == 3:
                self.victim.send_signal(signal.SIGKILL)
                self.killed = self.victim.wait() == -signal.SIGKILL
            yield progress


def _dask(kind, *options, inside=()):
    command = [*inside, sys.executable, "-m", "distributed.cli.dask_" + kind, "--no-dashboard", *map(str, options)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_the_command_reports_its_result_and_resumes_when_it_is_repeated(framing, models_folder, tmp_path, articles):
    write_lines(tmp_path / "a.jsonl", articles)
    place = {"data_dir": models_folder.parent}
    command = ("score", "a.jsonl", "--to", "scores", "--format", "csv", "--workers", "2")
    first = framing(*command, **place)
    assert first.returncode == 0, first.stderr
    assert "paragraphs of 39 articles into scores; 1 article could not be scored" in first.stdout
    again = json.loads(framing(*command, "--json", **place).stdout)
    assert (again["articles"], again["files_reused"]) == (0, 1)
    assert framing("score", "a.jsonl", "--column", "body", **place).returncode == 2


def test_a_scheduler_that_does_not_answer_is_reported_in_a_sentence(monkeypatch):
    from service.bulk import cluster as module

    monkeypatch.setattr(module, "_CONNECT_SECONDS", 0.2)
    with pytest.raises(module.ClusterError, match="No Dask scheduler answers"), module.cluster("tcp://127.0.0.1:9"):
        pass


def test_every_record_is_read_with_its_name_from_several_inputs(tmp_path, articles):
    write_lines(tmp_path / "a.jsonl", articles[:2])
    (tmp_path / "b.txt").write_text("x", encoding="utf-8")
    names = [record.name.rsplit("/")[-1] for record in read_records([str(tmp_path), str(tmp_path / "b.txt")])]
    assert names == ["a.jsonl line 1", "a.jsonl line 2", "b.txt", "b.txt"]
