"""Runs in an environment with doccano: reads our file with doccano's importer, and writes doccano's own exports.

`python of_doccano.py OURS FOLDER`
"""

import os
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

import backend

OURS, FOLDER = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(Path(backend.__file__).parent))
os.chdir(tempfile.mkdtemp())
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.development"
os.environ["DATABASE_URL"] = f"sqlite:///{os.getcwd()}/doccano.sqlite3"

import django  # noqa: E402

django.setup()

from data_export import celery_tasks as exporting  # noqa: E402
from data_export.pipeline.factories import create_formatter, create_writer  # noqa: E402
from data_import.datasets import load_dataset  # noqa: E402
from data_import.pipeline.catalog import create_file_format  # noqa: E402
from data_import.pipeline.readers import FileName  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from projects.models import Member, ProjectType, TextClassificationProject  # noqa: E402
from roles.models import Role  # noqa: E402

call_command("migrate", verbosity=0)
call_command("create_roles", verbosity=0)
user = User.objects.create(username="importer")
project = TextClassificationProject.objects.create(
    name="p",
    description="",
    created_by=user,
    project_type=ProjectType.DOCUMENT_CLASSIFICATION,
    collaborative_annotation=True,
)
Member.objects.create(user=user, project=project, role=Role.objects.get(name="project_admin"))
name = FileName(str(OURS), OURS.name, OURS.name)
dataset = load_dataset(
    "DocumentClassification",
    create_file_format("JSONL"),
    [name],
    project,
    encoding="utf_8",
    column_data="text",
    column_label="label",
)
dataset.save(user)
if dataset.errors:
    sys.exit(f"doccano could not read our file: {dataset.errors}")
for file_format in ("JSONL", "JSON", "CSV"):
    folder = Path(tempfile.mkdtemp())
    formatters, writer = create_formatter(project, file_format), create_writer(file_format)
    exporting.create_collaborative_dataset(project, str(folder), False, formatters, writer)
    with ZipFile(FOLDER / f"{file_format}.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
