"""Commands that judge a model and report on it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.command import AsJson, command, print_json
from service.settings import Settings

if TYPE_CHECKING:
    from training.frame_model import FrameModel

_Version = Annotated[str | None, typer.Argument(help="Which version; without it the champion.")]


@command("framing behaviour v2", rich_help_panel="Models")
def behaviour(
    version: _Version = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table as Markdown here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check what must not move a model's decisions (names, spelling, ...) and what must; exit with 1 if it fails."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service import console
    from training.behaviour import check_behaviour
    from training.card_markdown import table
    from training.paper import BEHAVIOUR_HEAD, behaviour_rows

    settings = Settings()
    model = _model(settings, version)
    codebook = read_codebook(settings.codebook)
    checks = check_behaviour(model, codebook, read_corpus(settings.corpus, codebook))
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(table(BEHAVIOUR_HEAD, behaviour_rows(checks)) + "\n", encoding="utf-8")
    if as_json:
        print_json([{**asdict(check), "passed": check.passed} for check in checks])
    else:
        console.show_table(f"Behaviour of model {model.card.version}", BEHAVIOUR_HEAD, behaviour_rows(checks))
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@command("framing report appendix/", rich_help_panel="Models")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder to write into; it is made where it is missing.")],
    version: Annotated[str | None, typer.Option(help="Which version; without it the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a paper's appendix: methods, LaTeX and CSV tables, plots, model card, datasheet, behaviour, references."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from training.paper import write_report

    settings = Settings()
    codebook = read_codebook(settings.codebook)
    written = write_report(folder, _model(settings, version), codebook, read_corpus(settings.corpus, codebook))
    if as_json:
        print_json({"folder": str(folder), "files": [str(path.relative_to(folder)) for path in written]})
    else:
        typer.echo(f"Wrote {len(written)} files into {folder}; {folder / 'README.md'} says what each is.")


def _model(settings: Settings, version: str | None) -> "FrameModel":
    from training.registry import Registry

    registry = Registry(settings.models_location)
    return registry.load_champion()[0] if version is None else registry.load(version)
