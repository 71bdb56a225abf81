"""The makers' commands: `framing make-base` and `framing make-article-score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.commands import AsJson, command, print_json
from service.settings import Settings
from training.errors import FineTuningError
from training.hyperparameters import Kind

if TYPE_CHECKING:
    from training.cross_validation import ReportProgress
    from training.making.sources import Sources
    from training.registry.base import BaseModel

_PANEL = "Maintenance"


@command(
    "framing make-base --annotated coded.jsonl --other other.jsonl --uncoded uncoded.jsonl.gz "
    "--pretrained weights/all-mpnet-base-v2 --to training/base/encoder",
    rich_help_panel=_PANEL,
)
def make_base(
    annotated: Annotated[list[Path], typer.Option(help="Annotated paragraphs, JSON Lines.")],
    to: Annotated[Path, typer.Option(help="Folder of the base model.")],
    kind: Annotated[Kind, typer.Option(help="Kind of the base model.")] = "encoder",
    pretrained: Annotated[
        Path | None, typer.Option(help="Folder of the encoder to fine-tune: published weights, or a base model.")
    ] = None,
    other: Annotated[list[Path] | None, typer.Option(help="Paragraphs of other news, without a frame.")] = None,
    uncoded: Annotated[list[Path] | None, typer.Option(help="Paragraphs without annotations.")] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Folder of a base model whose scores of the uncoded are learned from too.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder of checkpoints; the same command resumes.")] = Path("base-work"),
    note: Annotated[str, typer.Option(help="Note on the model's card.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a base model from annotated paragraphs: an encoder takes an hour or two, words some minutes."""
    from service.cli import console, console_models
    from training.making.sources import Sources

    sources = Sources(tuple(annotated), tuple(other or ()), tuple(uncoded or ()), teacher)
    with console.progress_bar(silent=as_json) as progress:
        base = _made(kind, sources, pretrained, work, to, note, progress)
    if as_json:
        print_json({"folder": str(to), "kind": kind, "encoder": base.card.encoder_digest})
    else:
        console_models.show_evaluation(base.card.left_out)


def _made(
    kind: Kind, sources: "Sources", pretrained: Path | None, work: Path, to: Path, note: str, progress: "ReportProgress"
) -> "BaseModel":
    from labels.codebook import read_codebook
    from training.finetuning.further import require_packages

    codebook = read_codebook(Settings().codebook)
    if kind == "words":
        from training.making.words import make_words

        return make_words(sources, codebook, work, to, note=note, progress=progress)
    require_packages()
    if pretrained is None:
        raise FineTuningError("Say with --pretrained which encoder to fine-tune.")
    from training.making.base import make_base

    return make_base(sources, codebook, pretrained, kind, work, to, note=note, progress=progress)


@command(
    "framing make-article-score --news coded.jsonl --news uncoded.jsonl.gz --to training/base/encoder",
    rich_help_panel=_PANEL,
)
def make_article_score(
    to: Annotated[
        Path, typer.Option(help="Folder of the base model; without --news, the file for models that have no base.")
    ],
    news: Annotated[
        list[Path] | None, typer.Option(help="Files from which the base was made, JSON Lines: they have the texts.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder that keeps vectors, for the next time.")] = Path("base-work"),
    as_json: AsJson = False,
) -> None:
    """Fit how a model scores articles, to annotated news, or without --news to the written corpus."""
    from labels.codebook import read_codebook
    from service.cli import console
    from training.encoder.vectors import VectorStore
    from training.making.article_card import fit_base, fit_without_base

    with console.progress_bar(silent=as_json) as progress:
        if news:
            facts = fit_base(to, news, VectorStore(work / "vectors"), progress)
        else:
            facts = fit_without_base(to, read_codebook(Settings().codebook), progress)
    balanced = facts.cuts["balanced"]
    figures = {
        "to": str(to),
        "articles": facts.articles,
        "power": facts.power,
        "sharpness": facts.sharpness,
        "accidents": facts.accidents,
        "precision": balanced.precision,
        "recall": balanced.recall,
        "ece": facts.ece,
        "chance_ece": facts.chance_ece,
    }
    if as_json:
        print_json(figures)
    else:
        for name, value in figures.items():
            typer.echo(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
