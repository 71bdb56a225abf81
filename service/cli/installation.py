"""Commands about an installation: its settings, health, backups, purges, keys, and invented data to look at."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel

from labels.wording import counted
from service.cli.commands import AsJson, app, command, open_database, print_json
from service.settings import Settings
from service.store.callers import Role

if TYPE_CHECKING:
    from service.jobs.removal import Purged

_PANEL = "Maintenance"
_PACKAGE = Path(__file__).parents[2]
# How long a purge tries to erase what others still use, at a time; some obstacles it notices at once.
_ERASING_SECONDS = 5.0
_PAUSE_SECONDS = 0.5


@command("FRAMING_DATA_DIR=demo-data framing demo")
def demo(as_json: AsJson = False) -> None:
    """Fill an empty data folder with invented articles and annotations, so that every page shows something."""
    from service.cli import console
    from service.cli.demonstration import fill as demonstration
    from training.registry.versions import Registry

    settings = Settings()
    model, promotion = Registry(settings.models_location, settings.trust).load_champion()
    with open_database(settings) as (database, codebook), console.progress_bar() as progress:
        articles, annotations = demonstration.fill(
            database,
            codebook,
            model,
            promotion,
            console.announce,
            lambda share: progress("invented articles", share),
        )
    if as_json:
        print_json({"articles": articles, "annotations": annotations})
    else:
        typer.echo(f"Stored {articles} invented articles and {annotations} annotations; a training run is queued.")


@command("framing settings > docs/settings.md")
def settings(as_json: AsJson = False) -> None:
    """List every setting with its meaning and default as Markdown, or with its current value as JSON."""
    if as_json:
        print_json(_settings_rows(Settings()))
    else:
        typer.echo(settings_table())


def _settings_rows(settings: Settings) -> list[dict[str, Any]]:
    """Name, meaning and current value of every setting."""
    return [
        {"name": _variable(name), "meaning": field.description, "value": _as_text(getattr(settings, name))}
        for name, field in Settings.model_fields.items()
    ]


def settings_table() -> str:
    """The settings as a Markdown document, with their defaults."""
    from training.reports.tables import table

    rows = [
        [f"`{_variable(name)}`", _default(field.default), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return (
        "# Settings\n\nEnvironment variables, or lines of a file `.env` in the working folder. "
        "Written by `framing settings`.\n\n" + table(["Variable", "Default", "Meaning"], rows)
    )


def _variable(name: str) -> str:
    return f"FRAMING_{name.upper()}"


def _default(value: Any) -> str:
    if isinstance(value, Path):
        return f"`{value.relative_to(_PACKAGE) if value.is_relative_to(_PACKAGE) else value}`"
    if value in ("", (), None):
        return "none"
    return f"`{_as_text(value).lower() if isinstance(value, bool) else _as_text(value)}`"


def _as_text(value: Any) -> str:
    return value.model_dump_json(exclude_none=True) if isinstance(value, BaseModel) else str(value)


@command("framing doctor")
def doctor(
    repair: Annotated[
        bool, typer.Option("--mend", help="First set aside damaged files that can be done without.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check codebook, corpus, database and models; exit with 1 if anything is wrong."""
    from service.cli import console
    from service.cli.doctor import examine, mend

    for sentence in mend(Settings()) if repair else []:
        typer.echo(sentence, err=True)
    findings = examine(Settings())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        console.show_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@command("framing backup framing-2026-11-21.zip", rich_help_panel=_PANEL)
def backup(path: Path, as_json: AsJson = False) -> None:
    """Write database and models into a file, as of a single moment, while the service runs."""
    from service.cli import console
    from service.cli.backup import back_up

    with console.progress_bar() as progress:
        made = back_up(Settings(), path, progress)
    if as_json:
        print_json(asdict(made))
        return
    files = f"{made.files - made.database} files of models"
    if made.database:
        typer.echo(f"{made.path} holds the database and {files}.")
    else:
        typer.echo(f"{made.path} holds {files}. Back up PostgreSQL with pg_dump.")


@command("FRAMING_DATA_DIR=restored framing restore framing-2026-11-21.zip", rich_help_panel=_PANEL)
def restore(path: Path, as_json: AsJson = False) -> None:
    """Put a backup into an empty data folder, after checking that it is complete."""
    from service.cli import backup

    restored = backup.restore(Settings(), path)
    if as_json:
        print_json(asdict(restored))
    else:
        typer.echo(f"Restored the backup of {restored.made_at}. Check the result with `framing doctor`.")


@command("framing purge 0123456789abcdef0123456789abcdef", rich_help_panel=_PANEL)
def purge(
    identifiers: Annotated[list[str], typer.Argument(metavar="ARTICLE_ID...")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Try until the texts are gone, however long others use the database.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Purge articles: remove everything that has their texts, down to the bytes in the files; 1 if any is left."""
    from service.cli import console
    from service.jobs.removal import Remover
    from service.store.callers import COMMAND_LINE
    from training.registry.versions import Registry

    settings = Settings()
    with open_database(settings) as (database, _):
        remover = Remover(settings, database, Registry(settings.models_location, settings.trust))
        purged = remover.purge(identifiers, COMMAND_LINE, _ERASING_SECONDS)
        left, announced = purged.left, None
        while wait and left is not None:
            if left != announced:
                console.announce(f"Waiting: {left}")
            announced = left
            time.sleep(_PAUSE_SECONDS)
            left = remover.erase(_ERASING_SECONDS, rewrite=True)
    if as_json:
        print_json({**asdict(purged), "left": left})
    else:
        _show_purged(purged, left)
    for missing in purged.missing:
        typer.secho(f"No article is stored under the id {missing}.", err=True, fg="red")
    if purged.missing or left is not None:
        raise typer.Exit(1)


def _show_purged(purged: "Purged", left: str | None) -> None:
    typer.echo(f"Purged {counted(len(purged.removed), 'article')}.")
    if purged.runs:
        typer.echo(f"Training runs that learned from them were ended: {', '.join(purged.runs)}.")
    if purged.models:
        typer.echo(f"Models that were trained on them: {', '.join(purged.models)}; retrain if that matters.")
    if left is not None:
        typer.secho(
            f"Bytes of the texts are left. {left} The worker erases them as soon as it can; to do it here, repeat the "
            "command with --wait.",
            err=True,
            fg="red",
        )


keys = typer.Typer(help="API keys: who may use the service, and in which role.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel="Access")


@command("framing keys create mira --role coder --days 180", of=keys)
def create(
    name: Annotated[str, typer.Argument(help="Owner; annotations and the log of actions carry this name.")],
    role: Annotated[Role, typer.Option(help="What it allows; each role includes the roles before it.")],
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days until it expires; without this option it is valid until it is revoked."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and show it once. As soon as a key exists, the server requires keys."""
    from service.access.secrets import create_key
    from service.store import audit
    from service.store.callers import COMMAND_LINE

    with open_database(Settings()) as (database, _), database.write() as connection:
        made = create_key(connection, name.strip(), role, days)
        audit.note(connection, COMMAND_LINE, "create key", made.id, name=name.strip(), role=role, days=days)
    if as_json:
        print_json({"id": made.id, "key": made.shown, "name": name.strip(), "role": role})
        return
    typer.echo(made.shown)
    typer.secho(f"This is the key of {name.strip()} ({role}). It is not shown again.", err=True)


@command("framing keys list", of=keys, name="list")
def list_(as_json: AsJson = False) -> None:
    """List the keys without their secrets: owner, role, expiry, last use."""
    from service.cli import console
    from service.store import keys as store

    with open_database(Settings()) as (database, _), database.read() as connection:
        rows = store.listing(connection)
    if as_json:
        print_json([{name: _iso(value) for name, value in asdict(key).items()} for key in rows])
    else:
        console.show_keys(rows)


def _iso(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value


@command("framing keys revoke 3f9a0c12de45", of=keys)
def revoke(identifier: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Revoke a key and end the sessions that it opened; running servers follow within a second."""
    from service.store import audit
    from service.store import keys as store
    from service.store.callers import COMMAND_LINE

    with open_database(Settings()) as (database, _), database.write() as connection:
        store.revoke(connection, identifier)
        audit.note(connection, COMMAND_LINE, "revoke key", identifier)
        is_last = not store.unrevoked(connection)
    if as_json:
        print_json({"revoked": identifier})
        return
    typer.echo(f"The key {identifier} has been revoked.")
    if is_last:
        typer.echo("It was the last: nobody gets in until you create a key, or run `framing keys open`.", err=True)


@command("framing keys open", of=keys, name="open")
def open_(as_json: AsJson = False) -> None:
    """Let everybody on this machine in without a key again, after the last key has been revoked."""
    from service.errors import KeysInForceError
    from service.store import audit
    from service.store import keys as store
    from service.store.callers import COMMAND_LINE

    settings = Settings()
    if settings.admin_key is not None:
        raise KeysInForceError("FRAMING_ADMIN_KEY is set, so a key is needed; take it out of the settings first.")
    with open_database(settings) as (database, _), database.write() as connection:
        store.open_access(connection)
        audit.note(connection, COMMAND_LINE, "open access", "this machine")
    if as_json:
        print_json({"open": True})
    else:
        typer.echo("Everybody on this machine may do everything, without a key; servers follow within a second.")
