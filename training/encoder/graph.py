"""An encoder as a graph that OpenVINO compiles: from the vectors of a paragraph's tokens to those in context.

The layers are those of BERT (Devlin et al. 2019) and MPNet (Song et al. 2020). Weights stay int8 in memory. Where the
processor multiplies int8, activations are rounded in groups of a row, so that no token's rounding depends on others.
"""

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.encoder.files import EncoderWeights, LayerWeights, Norm, QuantisedMatrix
from training.encoder.runtime import available_cores, load_openvino

# Activations of a row that share a scale: as many as weights do.
_GROUP = "128"

Float = NDArray[np.float32]


class CompiledEncoder:
    """A compiled graph. Each paragraph runs alone, on a single core.

    Alone, because a score must not depend on what else is in a batch, and because nothing is then spent on padding.
    """

    def __init__(self, weights: EncoderWeights) -> None:
        cores = available_cores()
        config = {
            "NUM_STREAMS": cores,
            "INFERENCE_NUM_THREADS": cores,
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP,
        }
        compiled = load_openvino().Core().compile_model(_graph(weights), "CPU", config)
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(cores):
            self._idle.put(compiled.create_infer_request())

    def run(self, vectors: Float, bias: Float) -> Float:
        """Returns the vectors in context (T, d) of token vectors (T, d) and attention bias (heads, T, T).

        May be called from several threads; as many calls run side by side as there are cores.
        """
        request = self._idle.get()
        try:
            request.infer([vectors, bias])
            return np.array(request.get_output_tensor().data)
        finally:
            self._idle.put(request)


def _graph(weights: EncoderWeights) -> Any:
    openvino = load_openvino()
    opset13, element_type = openvino.opset13, openvino.Type
    heads = weights.shape.attention_heads
    vectors = opset13.parameter([-1, weights.width], element_type.f32, name="vectors")
    bias = opset13.parameter([heads, -1, -1], element_type.f32, name="bias")
    build = _Builder(opset13, weights.shape.epsilon, heads, weights.width)
    hidden = build.norm(vectors, weights.before_layers)
    for layer in weights.layers:
        hidden = build.layer(hidden, bias, layer)
    return openvino.Model([hidden], [vectors, bias])


class _Builder:
    """Writes the nodes of a graph; `ops` is a module of OpenVINO's operations."""

    def __init__(self, ops: Any, epsilon: float, heads: int, width: int) -> None:
        self._ops, self._epsilon, self._heads, self._width = ops, epsilon, heads, width

    def layer(self, hidden: Any, bias: Any, weights: LayerWeights) -> Any:
        ops = self._ops
        attended = self._attention(self._linear(hidden, weights.attention, weights.attention_bias), bias)
        attended = self._linear(attended, weights.output, weights.output_bias)
        hidden = self.norm(ops.add(hidden, attended), weights.after_attention)
        inner = ops.gelu(self._linear(hidden, weights.up, weights.up_bias), "erf")
        return self.norm(ops.add(hidden, self._linear(inner, weights.down, weights.down_bias)), weights.after_layer)

    def norm(self, x: Any, norm: Norm) -> Any:
        ops = self._ops
        axes = ops.constant(np.array([-1], np.int64))
        normalised = ops.mvn(x, axes, normalize_variance=True, eps=self._epsilon, eps_mode="inside_sqrt")
        return ops.add(ops.multiply(normalised, ops.constant(norm.weight)), ops.constant(norm.bias))

    def _attention(self, projected: Any, bias: Any) -> Any:
        """Returns what each token (T, d) takes from the others, from queries, keys and values (T, 3d)."""
        ops, size = self._ops, self._width // self._heads
        split = ops.reshape(projected, self._numbers([-1, 3 * self._heads, size]), special_zero=False)
        by_head = ops.transpose(split, self._numbers([1, 0, 2]))
        parts = ops.split(by_head, self._numbers(0), num_splits=3)
        queries, keys, values = (ops.unsqueeze(part, self._numbers(0)) for part in parts.outputs())
        mixed = ops.scaled_dot_product_attention(queries, keys, values, ops.unsqueeze(bias, self._numbers(0)))
        by_token = ops.transpose(ops.squeeze(mixed, self._numbers(0)), self._numbers([1, 0, 2]))
        return ops.reshape(by_token, self._numbers([-1, self._width]), special_zero=False)

    def _linear(self, x: Any, matrix: QuantisedMatrix, bias: Float) -> Any:
        ops = self._ops
        rows, groups, group = matrix.values.shape
        values = ops.convert(ops.constant(matrix.values), "f32")
        scaled = ops.multiply(values, ops.constant(matrix.scales.reshape(rows, groups, 1)))
        weight = ops.reshape(scaled, self._numbers([rows, groups * group]), special_zero=False)
        return ops.add(ops.matmul(x, weight, transpose_a=False, transpose_b=True), ops.constant(bias))

    def _numbers(self, numbers: Sequence[int] | int) -> Any:
        return self._ops.constant(np.array(numbers, np.int64))


def relative_bias(weights: EncoderWeights, tokens: int) -> Float:
    """Returns what relative distances add to attention, (heads, tokens, tokens); zeros where the base has none.

    Distances fall into 32 buckets: a half for each direction, small distances each by itself, large by their logarithm
    (Raffel et al. 2020, "Exploring the limits of transfer learning").
    """
    if weights.relative is None:
        return np.zeros((weights.shape.attention_heads, tokens, tokens), np.float32)
    places = np.arange(tokens)
    distance = places[:, None] - places[None, :]
    buckets = np.where(distance < 0, 16, 0)
    distance = np.abs(distance)
    logarithm = 8 + (np.log(np.maximum(distance, 1) / 8) / np.log(128 / 8) * 8).astype(np.int64)
    buckets += np.where(distance < 8, distance, np.minimum(logarithm, 15))
    return np.ascontiguousarray(weights.relative[buckets].transpose(2, 0, 1))
