"""`make audit`: looks up known vulnerabilities of the locked packages, or lists the packages for review when offline.

It always checks licences, and fails if a package has a licence that this project must not depend on.
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
    """Prints the results; returns 1 if something has to be done."""
    names = [line.split("==")[0] for line in LOCK.read_text().splitlines() if "==" in line and not line.startswith(" ")]
    done = subprocess.run(
        [Path(sys.executable).with_name("pip-audit"), "-r", LOCK, "--require-hashes", "--disable-pip", "-f", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    packages = json.loads(done.stdout)["dependencies"] if done.stdout.startswith("{") else []
    checked = [package for package in packages if "vulns" in package]
    vulnerable = [package for package in checked if package["vulns"]]
    for package in vulnerable:
        print(f"{package['name']} {package['version']}: {', '.join(each['id'] for each in package['vulns'])}")
    print(f"{len(checked)} of {len(names)} packages were checked; {len(vulnerable)} have known vulnerabilities.")
    licences = {name: _licence(name) for name in names}
    refused = [
        f"{name}: {licence}"
        for name, licence in licences.items()
        if any(word in licence for word in REFUSED) and not any(word in licence for word in ALLOWED)
    ]
    if not checked:
        print("The database of vulnerabilities cannot be reached; review these packages by hand:")
        for name, licence in sorted(licences.items()):
            print(f"  {name}: {licence}")
    print("\n".join(refused) or "Every licence is acceptable.")
    return int(bool(vulnerable or refused))


def _licence(name: str) -> str:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    kinds = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License")]
    return about.get("License-Expression") or "; ".join(kinds) or (about.get("License") or "unknown").split("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
