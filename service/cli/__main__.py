"""The commands. Each reads its options, calls one function of the house and shows the result."""

# Importing a module registers its commands; the order is that of `framing --help`.
from service.cli import serving, training, evaluation, annotations, models, scoring, installation, upkeep, keys  # noqa: F401, I001
from service.cli.commands import app

if __name__ == "__main__":
    app()
