"""Runs in an environment with argilla: makes Argilla's records of our rows, and writes Argilla's own exports.

`python of_argilla.py OURS FOLDER`. Reading flat rows needs a server in Argilla, so the records are made by hand.
"""

import json
import sys
from pathlib import Path

import argilla
from argilla.records._io import GenericIO, JsonIO

OURS, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
records = []
for line in OURS.read_text(encoding="utf-8").split("\n")[:-1]:
    row = json.loads(line)
    answers = zip(row["frames.responses"], row["frames.responses.users"], row["frames.responses.status"], strict=True)
    responses = [argilla.Response("frames", value, user, status=status) for value, user, status in answers]
    metadata = {name: value for name, value in row["metadata"].items() if value is not None}
    records.append(argilla.Record(fields={"text": row["text"]}, metadata=metadata, responses=responses))
JsonIO.to_json(records, FOLDER / "to_json.json")
(FOLDER / "to_list.json").write_text(json.dumps(GenericIO.to_list(records, flatten=True)), encoding="utf-8")
if len(JsonIO._records_from_json(FOLDER / "to_json.json")) != len(records):
    sys.exit("Argilla does not read its own export back.")
