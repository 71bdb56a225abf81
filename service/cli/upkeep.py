"""Commands that look after an installation: backup and restore, taking articles down."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.commands import AsJson, command, open_database, print_json
from service.settings import Settings

_PANEL = "Care"


@command("framing backup framing-2026-11-21.zip", rich_help_panel=_PANEL)
def backup(path: Path, as_json: AsJson = False) -> None:
    """Write database and models into one file, as of one moment, while the service runs."""
    from service.cli import console
    from service.cli.backup import back_up

    with console.progress_bar() as progress:
        made = back_up(Settings(), path, progress)
    if as_json:
        print_json(asdict(made))
        return
    said = "the database and" if made.database else "not the database, which is PostgreSQL's (use pg_dump), but"
    typer.echo(f"{made.path} holds {said} {made.files - made.database} files of models.")


@command("FRAMING_DATA_DIR=restored framing restore framing-2026-11-21.zip", rich_help_panel=_PANEL)
def restore(path: Path, as_json: AsJson = False) -> None:
    """Put a backup into an empty data folder, after looking whether it is whole."""
    from service.cli import backup

    found = backup.restore(Settings(), path)
    if as_json:
        print_json(asdict(found))
    else:
        typer.echo(f"Restored what was backed up at {found.made_at}. `framing doctor` says whether all is sound.")


@command("framing purge 0123456789abcdef0123456789abcdef", rich_help_panel=_PANEL)
def purge(
    identifiers: Annotated[list[str], typer.Argument(metavar="ARTICLE_ID...")],
    as_json: AsJson = False,
) -> None:
    """Take articles down: remove them with all that was made of them, and overwrite their bytes in the database."""
    from service.articles.purge import take_down
    from service.store.callers import COMMAND_LINE
    from training.registry.versions import Registry

    settings = Settings()
    with open_database(settings) as (database, _):
        done = take_down(database, Registry(settings.models_location), identifiers, COMMAND_LINE)
    if as_json:
        print_json(asdict(done))
    else:
        typer.echo(f"Removed {len(done.removed)} articles.")
        if done.models:
            typer.echo(f"Models that learned from them: {', '.join(done.models)}; train anew where that matters.")
    for missing in done.missing:
        typer.secho(f"No article is stored under the id {missing}.", err=True, fg="red")
    if done.missing:
        raise typer.Exit(1)
