"""Checkpoints: the state of a run on disk, from which it resumes with the same result."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.errors import ModelFileError
from training.finetuning.optimisation import Optimiser
from training.finetuning.recipe import Recipe
from training.finetuning.transformer import FramingTransformer

STATE_FILE, WEIGHTS_FILE = "state.pt", "weights.pt"


class Checkpoints:
    """The checkpoints of a run in a folder. `material` is a digest of what the run learns from."""

    def __init__(self, folder: Path, recipe: Recipe, material: str) -> None:
        self._folder, self._run = folder, {"recipe": asdict(recipe), "material": material}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, model: FramingTransformer, optimiser: Optimiser, step: int) -> None:
        """Replaces the checkpoint by the state after a step, dropout's random numbers included."""
        state = {
            "run": self._run,
            "model": model.state_dict(),
            "optimiser": optimiser.state(),
            "random": torch.get_rng_state(),
            "step": step,
        }
        self._replace(STATE_FILE, state)

    def restore(self, model: FramingTransformer, optimiser: Optimiser) -> int:
        """Restores the state of the checkpoint and returns its step; 0 where there is none.

        Raises `ModelFileError` for a checkpoint that cannot be read or that belongs to another run.
        """
        path = self._folder / STATE_FILE
        if not path.exists():
            return 0
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            run, step = state["run"], int(state["step"])
        except Exception as error:  # damaged archives and foreign objects raise errors of many kinds
            raise ModelFileError(f"{path} is not a checkpoint of fine-tuning.") from error
        if run != self._run:
            raise ModelFileError(f"{path} belongs to a run with other settings or paragraphs: use another folder.")
        model.load_state_dict(state["model"])
        optimiser.restore(state["optimiser"])
        torch.set_rng_state(state["random"])
        return step

    def finish(self, model: FramingTransformer) -> Path:
        """Writes the weights of the model, from which `export_checkpoint` reads them, and returns their path."""
        return self._replace(WEIGHTS_FILE, model.state_dict())

    def _replace(self, name: str, content: Any) -> Path:
        """Writes beside the file and renames, so that a crash leaves the checkpoint before."""
        path = self._folder / name
        beside = path.with_suffix(".tmp")
        torch.save(content, beside)
        os.replace(beside, path)
        return path
