"""Where things are."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Third-party data that the repository does not contain. Tests that need it are skipped where it is missing.
SHARED = Path(os.environ.get("FRAMING_SHARED", ROOT.parent / "shared"))
