"""Commands about model versions."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.commands import AsJson, command, open_database, print_json
from service.settings import Settings

if TYPE_CHECKING:
    from training.registry.promotions import Promotion


@command("framing models", rich_help_panel="Models")
def models(as_json: AsJson = False) -> None:
    """List the model versions with their figures, and the history of promotions."""
    from service.cli import console, console_models
    from service.models.answers import model_cards, model_list
    from service.store.callers import COMMAND_LINE
    from training.registry.versions import Registry

    settings = Settings()
    registry = Registry(settings.models_location, settings.trust)
    listed, history = model_list(registry, *model_cards(registry, COMMAND_LINE)), registry.history()
    refused = [entry.why for entry in registry.refused_promotions()]
    if as_json:
        answer = {**listed.model_dump(mode="json"), "history": [asdict(promotion) for promotion in history]}
        print_json({**answer, "refused": refused})
    else:
        console_models.show_models(listed, history)
        console.show_sentences("Refused", refused)


Reason = Annotated[str, typer.Option(help="Reason, for the history.")]
By = Annotated[str, typer.Option(help="Name, for the history.")]


@command("framing promote v2 --reason 'better on foreign_hand' --by mira", rich_help_panel="Models")
def promote(
    version: str,
    reason: Reason,
    by: By = "command line",
    force: Annotated[
        bool, typer.Option(help="Promote in spite of a verdict against it; the history records that.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version champion; running services load it within seconds."""
    from training.registry.versions import Registry

    settings = Settings()
    promotion = Registry(settings.models_location, settings.trust).promote(version, by=by, reason=reason, force=force)
    _note_and_show(settings, promotion, as_json)


@command("framing rollback --reason 'misses denials' --by mira", rich_help_panel="Models")
def rollback(reason: Reason, by: By = "command line", as_json: AsJson = False) -> None:
    """Return to the previous champion."""
    from training.registry.versions import Registry

    settings = Settings()
    _note_and_show(
        settings, Registry(settings.models_location, settings.trust).roll_back(by=by, reason=reason), as_json
    )


def _note_and_show(settings: Settings, promotion: "Promotion", as_json: bool) -> None:
    from service.store.audit import note_promotion
    from service.store.callers import COMMAND_LINE

    with open_database(settings) as (database, _), database.write() as connection:
        note_promotion(connection, COMMAND_LINE, promotion)
    if as_json:
        print_json(asdict(promotion))
    else:
        previous = promotion.previous
        rollback = f"A rollback would lead to {previous}." if previous else "There is no version to roll back to."
        typer.echo(f"{promotion.version} is the champion now. {rollback}")


@command("FRAMING_MODEL_KEY=... framing sign-models", rich_help_panel="Models")
def sign_models(
    versions: Annotated[
        list[str] | None,
        typer.Argument(help="Model versions; default: every version with a compiled form, and all promotions."),
    ] = None,
    replace: Annotated[
        bool, typer.Option(help="Replace signatures that do not match too, for example after a change of the key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign models and promotions that were made before FRAMING_MODEL_KEY was set: from then on they count.

    Read what it lists: the key then says that all of it is yours. A version that is only a pickle is signed if you name
    it.
    """
    from service.store import audit
    from service.store.callers import COMMAND_LINE
    from training.registry.signing import sign_registry
    from training.registry.versions import Registry

    settings = Settings()
    signed = sign_registry(Registry(settings.models_location, settings.trust), versions or None, replace=replace)
    promotions = [promotion.number for promotion in signed.promotions]
    if signed.versions or promotions:
        with open_database(settings) as (database, _), database.write() as connection:
            subject = ", ".join(signed.versions)
            audit.note(connection, COMMAND_LINE, "sign models", subject, promotions=promotions)
    if as_json:
        print_json(asdict(signed))
        raise typer.Exit(1 if signed.left else 0)
    for version in signed.versions:
        typer.echo(f"Signed model {version}.")
    for promotion in signed.promotions:
        typer.echo(f"Signed promotion {promotion.number} of {promotion.version}, {promotion.at} by {promotion.by}.")
    for sentence in signed.left:
        typer.secho(sentence, err=True)
    if signed.left:
        raise typer.Exit(1)
    if not (signed.versions or promotions):
        typer.echo("Nothing is left to sign.")


@command("FRAMING_MODEL_KEY=... framing export-model v2 v2.zip", rich_help_panel="Models")
def export_model(
    version: str,
    path: Path,
    skops: Annotated[bool, typer.Option(help="Write the format of skops, which is loaded without unpickling.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model into a file for another installation, signed with a key that both have."""
    from service.models import transfer

    (transfer.export_skops if skops else transfer.export_model)(Settings(), version, path)
    if as_json:
        print_json({"version": version, "path": str(path)})
    else:
        typer.echo(f"{path} holds model {version}.")


@command("FRAMING_MODEL_KEY=... framing import-model v2.zip", rich_help_panel="Models")
def import_model(path: Path, as_json: AsJson = False) -> None:
    """Register the model of a signed file, without promoting it."""
    from service.models import transfer
    from service.store import audit
    from service.store.callers import COMMAND_LINE

    settings = Settings()
    card = transfer.import_model(settings, path)
    with open_database(settings) as (database, _), database.write() as connection:
        audit.note(connection, COMMAND_LINE, "import model", card.version, pipeline_sha256=card.pipeline_sha256)
    if as_json:
        print_json({"version": card.version})
    else:
        typer.echo(f"Registered as {card.version}. Promote it with `framing promote {card.version}`.")
