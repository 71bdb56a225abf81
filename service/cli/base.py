"""`framing make-base`: the makers' command, which fine-tunes an encoder and writes the base model."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from labels.errors import FramingError
from service.cli.commands import AsJson, command, print_json
from service.settings import Settings

_PANEL = "Maintenance"
# What the extra `finetune` installs.
_PACKAGES = ("torch", "safetensors")


class FineTuningError(FramingError):
    """The packages that fine-tuning needs are not installed."""


@command(
    "framing make-base weights/all-mpnet-base-v2 --annotated coded.jsonl --other other.jsonl "
    "--uncoded uncoded.jsonl.gz --to training/base/encoder",
    rich_help_panel=_PANEL,
)
def make_base(
    pretrained: Annotated[Path, typer.Argument(help="Folder of the pretrained encoder (config, safetensors).")],
    annotated: Annotated[list[Path], typer.Option(help="Annotated paragraphs, JSON Lines.")],
    to: Annotated[Path, typer.Option(help="Folder of the base model.")],
    other: Annotated[list[Path] | None, typer.Option(help="Paragraphs of other news, without a frame.")] = None,
    uncoded: Annotated[list[Path] | None, typer.Option(help="Paragraphs without annotations.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of checkpoints; the same command resumes.")] = Path("base-work"),
    note: Annotated[str, typer.Option(help="Note on the model's card.")] = "",
    as_json: AsJson = False,
) -> None:
    """Fine-tune an encoder on annotated paragraphs and write a base model: one to two hours on two cores."""
    if not all(map(find_spec, _PACKAGES)):
        raise FineTuningError("Install media-framing[finetune] to fine-tune an encoder.")
    from labels.codebook import read_codebook
    from service.cli import console, console_models
    from training.finetuning.base import Sources, make_base

    sources = Sources(pretrained, tuple(annotated), tuple(other or ()), tuple(uncoded or ()))
    with console.progress_bar(silent=as_json) as progress:
        base = make_base(sources, read_codebook(Settings().codebook), work, to, note=note, progress=progress)
    if as_json:
        print_json({"folder": str(to), "encoder": base.card.encoder_digest})
    else:
        console_models.show_evaluation(base.card.left_out)
