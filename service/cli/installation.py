"""Commands about an installation: its settings, whether it is sound, and made-up data to look at."""

from dataclasses import asdict

import typer

from service.cli.commands import AsJson, command, open_database, print_json
from service.settings import Settings


@command("FRAMING_DATA_DIR=demo-data framing demo")
def demo(as_json: AsJson = False) -> None:
    """Fill an empty data folder with made-up articles and codes, so that every page shows something."""
    from service.cli import console
    from service.cli import demo as demonstration
    from training.registry.versions import Registry

    settings = Settings()
    model, promotion = Registry(settings.models_location).load_champion()
    with open_database(settings) as (database, codebook), console.progress_bar() as progress:
        articles, codes = demonstration.fill(
            database, codebook, model, promotion, lambda share: progress("made-up articles", share)
        )
    if as_json:
        print_json({"articles": articles, "codes": codes})
    else:
        typer.echo(f"Stored {articles} made-up articles and {codes} codes; a training run is queued.")


@command("framing settings > docs/settings.md")
def settings(as_json: AsJson = False) -> None:
    """List every setting with its meaning, default and present value, as Markdown."""
    from service.cli.settings_table import settings_rows, settings_table

    if as_json:
        print_json(settings_rows(Settings()))
    else:
        typer.echo(settings_table())


@command("framing doctor")
def doctor(as_json: AsJson = False) -> None:
    """Look whether codebook, corpus, database and models are sound; exit with 1 if something is not."""
    from service.cli import console
    from service.cli.doctor import examine

    findings = examine(Settings())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        console.show_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
