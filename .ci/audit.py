"""`make audit`: the locked packages against known faults; where these cannot be looked up, a list to review.

Licences are looked at in any case: what this project must not depend on makes it fail.
"""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

LOCK = Path("requirements.lock")
REFUSED = ("GPL", "AGPL", "BUSL", "Business Source", "SSPL")
ALLOWED = ("LGPL", "Lesser General")


def main() -> int:
    """Prints what was found; 1 where something has to be done."""
    names = [line.split("==")[0] for line in LOCK.read_text().splitlines() if "==" in line and not line.startswith(" ")]
    done = subprocess.run(
        [Path(sys.executable).with_name("pip-audit"), "-r", LOCK, "--require-hashes", "--disable-pip", "-f", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["dependencies"] if done.stdout.startswith("{") else []
    looked_up = [one for one in found if "vulns" in one]
    faulty = [one for one in looked_up if one["vulns"]]
    for one in faulty:
        print(f"{one['name']} {one['version']}: {', '.join(fault['id'] for fault in one['vulns'])}")
    print(f"{len(looked_up)} of {len(names)} packages were looked up among known faults; {len(faulty)} have some.")
    licences = {name: _licence(name) for name in names}
    refused = [
        f"{name}: {licence}"
        for name, licence in licences.items()
        if any(word in licence for word in REFUSED) and not any(word in licence for word in ALLOWED)
    ]
    if not looked_up:
        print("They could not be looked up from here; review these by hand:")
        for name, licence in sorted(licences.items()):
            print(f"  {name}: {licence}")
    print("\n".join(refused) or "No licence is one that this project must not depend on.")
    return int(bool(faulty or refused))


def _licence(name: str) -> str:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    kinds = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License")]
    return about.get("License-Expression") or "; ".join(kinds) or (about.get("License") or "unknown").split("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
