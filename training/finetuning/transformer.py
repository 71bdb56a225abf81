"""BERT and MPNet as a torch module, with linear heads for frames and stances over the mean of the tokens.

The two bases differ only in what positions add: MPNet also adds a learned number for each relative distance to
attention (Devlin et al. 2019, "BERT"; Song et al. 2020, "MPNet"). Names of parameters are those of checkpoints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

# Positions are numbered from here in MPNet: the first two rows belong to padding.
MPNET_FIRST_POSITION = 2
_BUCKETS = 32
_MASKED = -1e4

Tensor = Any


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """Sizes of a transformer. `relative` marks MPNet's relative distances; `layers` is the number of layers."""

    words: int
    positions: int
    width: int
    attention_heads: int
    inner: int
    layers: int
    epsilon: float
    relative: bool

    @property
    def first_position(self) -> int:
        """Row of the first token's position."""
        return MPNET_FIRST_POSITION if self.relative else 0


class Layer(nn.Module):  # type: ignore[misc]
    """A layer with normalisation after attention and after the feed-forward part."""

    def __init__(self, shape: TransformerShape, dropout: float) -> None:
        super().__init__()
        width = shape.width
        self.attention_heads = shape.attention_heads
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, shape.inner), nn.Linear(shape.inner, width)
        self.n1, self.n2 = nn.LayerNorm(width, shape.epsilon), nn.LayerNorm(width, shape.epsilon)
        self.drop = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """Returns hidden states (n, T, d); `bias` is added to attention, broadcast to (n, heads, T, T)."""
        hidden = self.n1(hidden + self.drop(self.o(self._attended(hidden, bias))))
        return self.n2(hidden + self.drop(self.down(functional.gelu(self.up(hidden)))))

    def _attended(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """Plain products, because torch's fused attention is slower on a CPU with a bias."""
        count, tokens, width = hidden.shape
        size = width // self.attention_heads
        parts = self.qkv(hidden).view(count, tokens, 3, self.attention_heads, size).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts
        weights = torch.softmax(torch.matmul(queries * size**-0.5, keys.transpose(-1, -2)) + bias, -1)
        mixed = torch.matmul(weights.to(values.dtype), values)
        return mixed.transpose(1, 2).reshape(count, tokens, width)


class FramingTransformer(nn.Module):  # type: ignore[misc]
    """A transformer of width d with heads for k frames and the s stances of each.

    The head of a frame's stances is the sum of a part of its own and a part that frames share, so that rare frames
    learn from the others. All heads start at zero.
    """

    def __init__(self, shape: TransformerShape, frames: int, stances: int, dropout: float) -> None:
        super().__init__()
        self.shape, self.frames, self.stances = shape, frames, stances
        self.word = nn.Embedding(shape.words, shape.width)
        self.pos = nn.Embedding(shape.positions, shape.width)
        self.norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.drop = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        if shape.relative:
            self.rel = nn.Embedding(_BUCKETS, shape.attention_heads)
            self.rel.weight.requires_grad_(False)
        else:
            self.type0 = nn.Parameter(torch.zeros(shape.width), requires_grad=False)
        self.frame = nn.Linear(shape.width, frames)
        self.stance = nn.Linear(shape.width, frames * stances)
        self.stance_all = nn.Linear(shape.width, stances)
        for head in self.heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    @property
    def heads(self) -> Sequence[Any]:
        """The linear modules of the heads."""
        return self.frame, self.stance, self.stance_all

    def forward(self, tokens: Tensor, mask: Tensor, own: Tensor, dtype: Any = torch.float32) -> tuple[Tensor, Tensor]:
        """Returns log-odds of frames (n, k) and unnormalised log-probabilities of stances (n, k, s).

        tokens, mask (false where padded) and `own` (1.0 for tokens of the paragraph, without the special ones): (n, T).
        """
        hidden = self.hidden(tokens, mask, dtype)
        # Autocast would round the mean and the heads, which cost nothing, to bfloat16.
        with torch.autocast("cpu", enabled=False):
            means = torch.einsum("ntd,nt->nd", hidden.float(), own / own.sum(1, keepdim=True))
            stances = self.stance(means).view(-1, self.frames, self.stances) + self.stance_all(means)[:, None, :]
            return self.frame(means), stances

    def hidden(self, tokens: Tensor, mask: Tensor, dtype: Any = torch.float32) -> Tensor:
        """Returns the vectors of tokens in context, (n, T, d)."""
        count, length = tokens.shape
        hidden = self.word(tokens) + self.pos(torch.arange(length) + self.shape.first_position)
        if not self.shape.relative:
            hidden = hidden + self.type0
        hidden = self.drop(self.norm(hidden)).to(dtype)
        bias = torch.zeros(count, 1, 1, length).masked_fill_(~mask[:, None, None, :], _MASKED)
        if self.shape.relative:
            bias = (bias + self.rel(relative_buckets(length)).permute(2, 0, 1)[None]).contiguous()
        bias = bias.to(dtype)
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return hidden

    def freeze(self, words: bool, layers: int) -> None:
        """Keeps the vectors of words and the lowest layers (from 1 on, also positions) as they are."""
        frozen = [self.word] if words or layers else []
        if layers:
            frozen += [self.pos, self.norm, *self.layers[:layers]]
        for module in frozen:
            module.requires_grad_(False)


def relative_buckets(length: int) -> Tensor:
    """Returns the bucket of the distance of each pair of tokens, (length, length).

    Large distances share buckets (Raffel et al. 2020, "Exploring the limits of transfer learning").
    """
    places = torch.arange(length)
    distances = places[:, None] - places[None, :]
    half, exact = _BUCKETS // 2, _BUCKETS // 4
    near = distances.abs()
    far = torch.log(near.float().clamp(min=1) / exact) / math.log(128 / exact) * (half - exact)
    return (distances < 0).long() * half + torch.where(near < exact, near, (exact + far.long()).clamp(max=half - 1))
