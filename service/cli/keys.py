"""Commands about API keys and the log of actions."""

from dataclasses import asdict
from typing import Annotated

import typer

from service.cli.commands import AsJson, app, command, open_database, print_json
from service.settings import Settings
from service.store.callers import Role

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
        print_json([{name: _plain(value) for name, value in asdict(key).items()} for key in rows])
    else:
        console.show_keys(rows)


def _plain(value: object) -> object:
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
    if as_json:
        print_json({"revoked": identifier})
    else:
        typer.echo(f"The key {identifier} has been revoked.")
