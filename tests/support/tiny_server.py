"""`framing serve` on the tiny base of the tests: `python -m tests.support.tiny_server FOLDER`."""

import sys
from pathlib import Path

from service.server import run
from service.settings import Settings
from training.encoder import shipped

if __name__ == "__main__":
    shipped.BASE_FOLDER = Path(sys.argv[1])
    run(Settings())
