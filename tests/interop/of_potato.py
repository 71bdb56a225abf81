"""Runs in an environment with potato-annotation: exports the annotations of our zip with Potato's own exporters.

`python of_potato.py OURS FOLDER`. Every result is a zip with the items, because Potato's exports have no texts.
"""

import json
import sys
from pathlib import Path
from zipfile import ZipFile

from potato.export.base import ExportContext
from potato.export.tabular_exporter import CSVExporter, JSONLExporter, TSVExporter

OURS, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
with ZipFile(OURS) as archive:
    items = archive.read("items.jsonl")
    rows = [json.loads(line) for line in archive.read("annotations.jsonl").decode().split("\n")[:-1]]
context = ExportContext(
    config={},
    annotations=rows,
    items={row["id"]: row for row in map(json.loads, items.decode().split("\n")[:-1])},
    schemas=[{"name": "frames", "annotation_type": "multiselect"}],
    output_dir=str(FOLDER),
)
for exporter in (CSVExporter(), TSVExporter(), JSONLExporter()):
    [written] = exporter.export(context, str(FOLDER / "out")).files_written
    with ZipFile(FOLDER / f"{Path(written).suffix[1:]}.zip", "w") as archive:
        archive.write(written, Path(written).name)
        archive.writestr("items.jsonl", items)
    Path(written).unlink()
(FOLDER / "out").rmdir()
