"""What is shipped: the wheel, the lock files, the container's recipe."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile

from tests.support.paths import ROOT


def test_the_wheel_builds_without_a_word_and_holds_all_that_the_service_needs(tmp_path):
    source = tmp_path / "source"
    copied = ["labels", "training", "service", "pyproject.toml", "README.md", "LICENSE"]
    for name in copied:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(source)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    [wheel] = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    needed = {
        "labels/py.typed",
        "training/py.typed",
        "service/py.typed",
        "labels/codebook.toml",
        "labels/corpus/regional-dailies.jsonl",
        "training/reports/templates/report.html",
        "service/store/migrations/env.py",
        "service/pages/templates/dashboard.html",
        "service/pages/static/charts.js",
        "service/cli/demonstration/news.toml",
        "service/store/migrations/versions/0001_articles_and_scores.py",
    }
    assert needed <= names
    assert not [name for name in names if name.startswith("tests")]
    [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
    facts = zipfile.ZipFile(wheel).read(metadata).decode().partition("\n\n")[0]
    assert "Author: The media-framing authors" in facts
    assert "License-File: LICENSE" in facts
    assert re.findall(r"^Project-URL: (\w+), https://", facts, re.MULTILINE) == [
        "Documentation", "Source", "Changelog", "Issues",
    ]  # fmt: skip
    # Only the version of Python that the tests run on is declared.
    assert re.findall(r"Python :: (3\.\d+)", facts) == ["3.11"]


def test_the_locks_pin_every_package_by_hash_and_name_no_index():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        packages = re.findall(r"^[a-z0-9][^\s=]*==[^\s\\]+", text, re.MULTILINE)
        assert len(packages) > 50
        assert len(re.split(r"\n(?=[a-z0-9])", text)) == len(packages)
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z0-9])", text))
        assert "://" not in text


def test_the_dockerfile_is_built_in_stages_for_an_ordinary_user_with_a_health_check(monkeypatch):
    monkeypatch.chdir(ROOT)
    lint = runpy.run_path(str(ROOT / ".ci" / "lint_dockerfile.py"))["faults"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert lint(dockerfile) == []
    assert lint(dockerfile.replace("USER framing", "USER root")) != []
    assert lint(dockerfile.replace("HEALTHCHECK", "# HEALTHCHECK")) != []
