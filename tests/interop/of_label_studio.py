"""Runs in an environment with label-studio-sdk: converts our file with Label Studio's own converter.

`python of_label_studio.py OURS FOLDER`
"""

import shutil
import sys
from pathlib import Path

from label_studio_sdk.converter import Converter

OURS, FOLDER = sys.argv[1], Path(sys.argv[2])
FRAMES = ("blame_on_leadership", "foreign_hand", "grievance_driven", "militarized_response")
STANCES = ("advanced", "reported", "contested", "present")


def choices(name, values, how_many):
    inside = "".join(f'<Choice value="{value}"/>' for value in values)
    return f'<Choices name="{name}" toName="text" choice="{how_many}">{inside}</Choices>'


controls = choices("frames", FRAMES, "multiple") + "".join(choices(f"stance_{f}", STANCES, "single") for f in FRAMES)
config = f'<View><Text name="text" value="$text"/>{controls}<TextArea name="note" toName="text"/></View>'
converter = Converter(config, str(FOLDER), download_resources=False)
converter.convert_to_json(OURS, str(FOLDER / "json"), is_dir=False)
converter.convert_to_json_min(OURS, str(FOLDER / "min"), is_dir=False)
converter.convert_to_csv(OURS, str(FOLDER / "csv"), is_dir=False, sep=",", header=True)
for kind, name in (("json", "result.json"), ("min", "result.json"), ("csv", "result.csv")):
    (FOLDER / kind / name).rename(FOLDER / f"{kind}-{name}")
    shutil.rmtree(FOLDER / kind)
