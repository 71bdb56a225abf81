"""The loss of a batch, the optimiser, and its learning rate over a run."""

from typing import Any

import torch
from torch.nn import functional

from training.finetuning.epochs import Targets
from training.finetuning.recipe import Recipe
from training.finetuning.transformer import FramingTransformer, Tensor

# As in the fine-tuning of RoBERTa (Liu et al. 2019).
_BETAS = (0.9, 0.98)
_EPSILON = 1e-6
_LARGEST_GRADIENT = 1.0


class Optimiser:
    """AdamW (Loshchilov and Hutter 2019) with a learning rate that rises and falls along straight lines.

    Weight decay applies to matrices of the transformer; the heads have a learning rate of their own.
    """

    def __init__(self, model: FramingTransformer, recipe: Recipe, steps: int) -> None:
        self._model, self._warmup, self._steps = model, recipe.warmup * steps, steps
        heads = {id(parameter) for head in model.heads for parameter in head.parameters()}
        body = [p for p in model.parameters() if p.requires_grad and id(p) not in heads]
        groups = [
            {
                "params": [p for p in body if p.ndim > 1],
                "lr": recipe.learning_rate,
                "weight_decay": recipe.weight_decay,
            },
            {"params": [p for p in body if p.ndim == 1], "lr": recipe.learning_rate, "weight_decay": 0.0},
            {
                "params": [p for p in model.parameters() if id(p) in heads],
                "lr": recipe.head_learning_rate,
                "weight_decay": 0.0,
            },
        ]
        groups = [group for group in groups if group["params"]]
        self._adam = torch.optim.AdamW(groups, fused=True, betas=_BETAS, eps=_EPSILON)
        self._rates = [group["lr"] for group in self._adam.param_groups]

    def step(self, number: int) -> None:
        """Moves the weights by their gradients, which are then cleared. Steps are numbered from 1."""
        for group, rate in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * self._share_of_rate(number)
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), _LARGEST_GRADIENT)
        self._adam.step()
        self._adam.zero_grad()

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs."""
        state: dict[str, Any] = self._adam.state_dict()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Resumes with the state of an optimiser of the same model."""
        self._adam.load_state_dict(state)

    def _share_of_rate(self, number: int) -> float:
        rising = number / self._warmup if self._warmup else 1.0
        falling = (self._steps - number) / (self._steps - self._warmup) if self._steps > self._warmup else 1.0
        return min(rising, max(0.0, falling))


def loss_of(frames: Tensor, stances: Tensor, targets: Targets, rows: list[int], stance_weight: float) -> Tensor:
    """Returns the mean loss of n paragraphs, whose targets are in `rows`.

    That of a paragraph is the sum of binary cross-entropies of its frames, (n, k), and of cross-entropies of the
    stances, (n, k, s), of frames that are present.
    """
    weights = torch.tensor(targets.weights[rows])
    presence = torch.tensor(targets.frames[rows])
    of_frames = functional.binary_cross_entropy_with_logits(frames, presence, reduction="none").sum(1)
    entropies = -(torch.tensor(targets.stances[rows]) * torch.log_softmax(stances, -1)).sum(-1)
    of_stances = (entropies * torch.tensor(targets.stance_weights[rows])).sum(1)
    return ((of_frames + stance_weight * of_stances) * weights).mean()
