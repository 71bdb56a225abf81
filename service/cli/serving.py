"""Commands that run the service."""

from typing import Annotated

import typer

from service.cli.commands import command
from service.settings import Settings


@command("framing serve --port 8080 --workers 2")
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; else FRAMING_PORT.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes; else FRAMING_SERVER_PROCESSES.")] = None,
) -> None:
    """Serve the REST API and the pages on http://127.0.0.1:8000, or as the settings say."""
    from service.server import run

    options = {"port": port, "server_processes": workers}
    run(Settings.model_validate({name: value for name, value in options.items() if value is not None}))


@command("framing worker")
def worker(
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process has ended.")] = None,
) -> None:
    """Perform training runs and rescore stored articles; `framing serve` starts a worker itself."""
    import logging

    from service.jobs.worker import work

    settings = Settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s: %(message)s")
    work(settings, parent=parent)
