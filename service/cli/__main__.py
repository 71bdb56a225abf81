"""The commands. Each reads its options, calls a function of the service and shows the result."""

# Importing a module registers its commands, in the order of `framing --help`.
from service.cli import serving, training, evaluation, annotations, models, scoring, prevalence, installation, base  # noqa: F401, I001
from service.cli.commands import app

__all__ = ["app"]

if __name__ == "__main__":
    app()
