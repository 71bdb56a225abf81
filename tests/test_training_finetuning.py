"""Fine-tuning, on tiny random models. Skipped where the extra `finetune` is not installed."""

import json
import math

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from training.encoder.encoder import Encoder  # noqa: E402 - after torch is known to be there
from training.encoder.files import read_encoder  # noqa: E402
from training.errors import ModelFileError  # noqa: E402
from training.finetuning.batches import Subwords, batches_of_similar_length, padded  # noqa: E402
from training.finetuning.epochs import Material, Targets  # noqa: E402
from training.finetuning.export import export, export_checkpoint, heads  # noqa: E402
from training.finetuning.loop import fine_tune, lessons, starting_model  # noqa: E402
from training.finetuning.optimisation import loss_of  # noqa: E402
from training.finetuning.paragraphs import LearnedParagraph  # noqa: E402
from training.finetuning.pretrained import read_pretrained  # noqa: E402
from training.finetuning.recipe import Recipe  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")

WIDTH, HEADS, INNER, LAYERS, WORDS, POSITIONS, EPSILON = 32, 4, 64, 3, 40, 64, 1e-5
FRAMES = ("blame", "hand")
TINY = Recipe(batch=4, head_learning_rate=1e-2, learning_rate=1e-3, frozen_layers=1, bfloat16=False, written=3)
SPECIAL = {"bert": ("[CLS]", "[SEP]", "[PAD]", "[UNK]"), "mpnet": ("<s>", "</s>", "<pad>", "<unk>")}
ATTENTION = {
    "bert": ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    "mpnet": ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"),
}
NORM = {"bert": "attention.output.LayerNorm", "mpnet": "attention.LayerNorm"}


@pytest.fixture(params=["bert", "mpnet"])
def kind(request):
    return request.param


@pytest.fixture
def published(kind):
    """Random weights under the names of published models."""
    random = np.random.default_rng(3)
    shapes = {"embeddings.word_embeddings": (WORDS, WIDTH), "embeddings.position_embeddings": (POSITIONS, WIDTH)}
    shapes |= {"embeddings.LayerNorm": (WIDTH,)}
    if kind == "bert":
        shapes["embeddings.token_type_embeddings"] = (2, WIDTH)
    else:
        shapes["encoder.relative_attention_bias"] = (32, HEADS)
    for number in range(LAYERS):
        layer = dict.fromkeys(ATTENTION[kind], (WIDTH, WIDTH)) | {NORM[kind]: (WIDTH,)}
        layer |= {"intermediate.dense": (INNER, WIDTH), "output.dense": (WIDTH, INNER), "output.LayerNorm": (WIDTH,)}
        shapes |= {f"encoder.layer.{number}.{name}": shape for name, shape in layer.items()}
    weights = {f"{name}.weight": random.normal(0, 0.3, shape) for name, shape in shapes.items()}
    biased = [name for name in shapes if "_embeddings" not in name and "relative" not in name]
    weights |= {f"{name}.bias": random.normal(0, 0.3, shapes[name][:1]) for name in biased}
    return {name: array.astype(np.float32) for name, array in weights.items()}


@pytest.fixture
def pretrained(tmp_path, kind, published):
    """A folder as sentence-transformers publishes it."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    config = {"model_type": kind, "vocab_size": WORDS, "max_position_embeddings": POSITIONS, "hidden_size": WIDTH}
    config |= {"num_attention_heads": HEADS, "intermediate_size": INNER, "num_hidden_layers": LAYERS}
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": EPSILON}))
    tensors = {f"{kind}.{name}": torch.tensor(array) for name, array in published.items()}
    safetensors.save_file(tensors, folder / "model.safetensors")
    words = [*SPECIAL[kind], *(f"w{number}" for number in range(WORDS - 4))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[kind][3]))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def material():
    random = np.random.default_rng(8)
    frames = [{}, {"blame": "advanced"}, {"hand": "contested"}, {"blame": "present", "hand": "reported"}]
    paragraphs = [LearnedParagraph(f"a{n}", _text(random), frames[n % 4], "random") for n in range(18)]
    return Material(FRAMES, paragraphs[:14], paragraphs[14:])


def _text(random):
    return " ".join(f"w{number}" for number in random.integers(0, WORDS - 4, random.integers(1, 20)))


def _with_random_heads(model):
    for head in model.heads:
        torch.nn.init.normal_(head.weight)
        torch.nn.init.normal_(head.bias)
    return model.eval()


def _reference(published, kind, tokens):
    """The forward pass of BERT and MPNet for a single paragraph, written as their papers do: head by head."""

    def linear(name, x):
        return x @ published[f"{name}.weight"].T + published[f"{name}.bias"]

    def norm(name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON)
        return x * published[f"{name}.weight"] + published[f"{name}.bias"]

    count, size = len(tokens), WIDTH // HEADS
    first = 2 if kind == "mpnet" else 0
    x = published["embeddings.word_embeddings.weight"][tokens]
    x = x + published["embeddings.position_embeddings.weight"][first : first + count]
    if kind == "bert":
        x = x + published["embeddings.token_type_embeddings.weight"][0]
    x = norm("embeddings.LayerNorm", x)
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}."
        query, key, value, output = (layer + name for name in ATTENTION[kind])
        attended = np.zeros_like(x)
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (linear(name, x)[:, part] for name in (query, key, value))
            logits = q @ k.T / math.sqrt(size)
            if kind == "mpnet":
                table = published["encoder.relative_attention_bias.weight"][:, head]
                logits += [[table[_bucket(row - column)] for column in range(count)] for row in range(count)]
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            attended[:, part] = weights / weights.sum(-1, keepdims=True) @ v
        x = norm(layer + NORM[kind], x + linear(output, attended))
        inner = linear(layer + "intermediate.dense", x)
        inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        x = norm(layer + "output.LayerNorm", x + linear(layer + "output.dense", inner))
    return x


def _bucket(distance):
    near, half = abs(distance), 16 if distance < 0 else 0
    return half + (near if near < 8 else min(15, 8 + int(math.log(near / 8) / math.log(16) * 8)))


def test_the_forward_pass_is_that_of_the_papers(kind, published, pretrained):
    paragraphs = [[0, *range(4, 40), 1], [0, 9, 30, 1]]
    batch = padded(paragraphs, 2)
    hidden = read_pretrained(pretrained, 2).eval().hidden(batch.tokens, batch.mask).detach().numpy()
    for row, tokens in enumerate(paragraphs):
        np.testing.assert_allclose(hidden[row, : len(tokens)], _reference(published, kind, tokens), atol=2e-5)


def test_padding_does_not_change_a_paragraph(pretrained):
    model = _with_random_heads(read_pretrained(pretrained, 2))
    alone, together = padded([[0, 7, 8, 1]], 2), padded([[0, 7, 8, 1], [0, *range(4, 30), 1]], 2)
    alone, together = (model(batch.tokens, batch.mask, batch.own)[0][0] for batch in (alone, together))
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)


def test_some_layers_of_a_base_can_remain_evenly_spaced(pretrained, published):
    model = read_pretrained(pretrained, 2, layers=2)
    assert len(model.layers) == 2
    for layer, number in zip(model.layers, (0, 2), strict=True):
        expected = published[f"encoder.layer.{number}.output.dense.weight"]
        np.testing.assert_array_equal(layer.down.weight.detach(), expected)


def test_a_folder_with_another_kind_of_model_is_refused(pretrained):
    (pretrained / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ModelFileError, match="neither BERT nor MPNet"):
        read_pretrained(pretrained, 2)


def test_paragraphs_are_cut_at_the_tokens_that_the_recipe_allows_and_at_no_other_length(kind, pretrained):
    subwords = Subwords(pretrained)
    [long, empty] = subwords.tokens(["W1 " * 9, ""], most=5)
    assert long == [subwords.begin, *[5] * 5, subwords.end]
    assert empty == [subwords.begin, subwords.end, subwords.end]
    assert [subwords.begin, subwords.end, subwords.padding] == [0, 1, 2]


def test_batches_hold_every_paragraph_exactly_once_and_are_of_similar_length():
    lengths = np.random.default_rng(0).integers(1, 200, 1000).tolist()
    batches = batches_of_similar_length(lengths, 32, np.random.default_rng(5))
    assert sorted(number for batch in batches for number in batch) == list(range(1000))
    assert max(map(len, batches)) == 32
    assert np.mean([np.ptp([lengths[number] for number in batch]) for batch in batches]) < 10
    assert batches == batches_of_similar_length(lengths, 32, np.random.default_rng(5))


def test_the_loss_is_the_sum_over_frames_and_half_of_it_over_stances_of_frames_that_are_present():
    frames, stances = torch.zeros(1, 2), torch.zeros(1, 2, 3)
    learned = Targets(
        frames=np.array([[1, 0]], np.float32),
        stances=np.array([[[1, 0, 0], [0, 0, 1]]], np.float32),
        stance_weights=np.array([[1, 0]], np.float32),
        weights=np.array([2], np.float32),
    )
    expected = 2 * (2 * math.log(2) + 0.5 * math.log(3))
    assert float(loss_of(frames, stances, learned, [0], 0.5)) == pytest.approx(expected, rel=1e-6)


def test_a_model_starts_with_the_share_of_each_frame(pretrained, material):
    model = starting_model(pretrained, material, TINY)
    torch.testing.assert_close(torch.sigmoid(model.frame.bias), torch.tensor(material.shares()))


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path, pretrained, material):
    whole = fine_tune(pretrained, material, TINY, tmp_path / "whole").state_dict()

    class StoppedError(Exception):
        pass

    def interrupt_at(share):
        def progress(_, done):
            if done >= share:
                raise StoppedError

        return progress

    for share in (0.3, 0.7):  # between two checkpoints, in the first epoch and in the second
        with pytest.raises(StoppedError):
            fine_tune(pretrained, material, TINY, tmp_path / "parts", interrupt_at(share), steps_per_checkpoint=2)
    resumed = fine_tune(pretrained, material, TINY, tmp_path / "parts", steps_per_checkpoint=2).state_dict()
    for name, array in whole.items():
        assert torch.equal(array, resumed[name]), name


def test_a_run_learns_all_but_what_the_recipe_freezes(tmp_path, pretrained, material):
    before = read_pretrained(pretrained, len(FRAMES)).state_dict()
    after = fine_tune(pretrained, material, TINY, tmp_path / "run").state_dict()
    same = {name.split(".weight")[0].split(".bias")[0] for name in before if torch.equal(before[name], after[name])}
    assert {"word", "pos", "norm", "layers.0.qkv", "layers.0.n2"} <= same
    assert not same & {"layers.1.qkv", "layers.2.down", "frame", "stance", "stance_all"}


def test_progress_ends_at_1(tmp_path, pretrained, material):
    shares = []
    fine_tune(pretrained, material, TINY, tmp_path / "run", lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) == len(list(lessons(material, TINY, Subwords(pretrained))))


def test_a_checkpoint_of_another_run_is_refused(tmp_path, pretrained, material):
    fine_tune(pretrained, material, TINY, tmp_path / "run", steps_per_checkpoint=2)
    other = Material(FRAMES, material.paragraphs[1:])
    with pytest.raises(ModelFileError, match="belongs to a run with other settings"):
        fine_tune(pretrained, other, TINY, tmp_path / "run")
    (tmp_path / "run" / "state.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelFileError, match="not a checkpoint"):
        fine_tune(pretrained, material, TINY, tmp_path / "run")


def test_heads_of_an_export_give_the_log_odds_of_the_model(pretrained):
    model = _with_random_heads(read_pretrained(pretrained, 2))
    batch = padded([[0, *range(4, 30), 1], [0, 9, 30, 1]], 2)
    frames, stances = (part.detach().numpy() for part in model(batch.tokens, batch.mask, batch.own))
    hidden = model.hidden(batch.tokens, batch.mask).detach().numpy()
    means = np.stack([hidden[0, 1:-1].mean(0), hidden[1, 1:3].mean(0)])
    coefficients, intercepts = heads(model)
    assert coefficients.shape == (WIDTH, 8)
    expected = np.concatenate([frames, stances.reshape(2, -1)], axis=1)
    np.testing.assert_allclose(means @ coefficients + intercepts, expected, atol=1e-4)


def test_an_exported_encoder_has_the_weights_of_the_model(tmp_path, pretrained, published, kind):
    model = read_pretrained(pretrained, 2)
    export(model, pretrained, tmp_path / "encoder", "tiny", most_tokens=30)
    weights = read_encoder(tmp_path / "encoder")
    assert (weights.shape.name, weights.shape.base, weights.shape.most_tokens) == ("tiny", "pretrained", 30)
    assert (weights.relative is None) == (kind == "bert")
    positions = published["embeddings.position_embeddings.weight"]
    if kind == "bert":
        expected = positions[:32] + published["embeddings.token_type_embeddings.weight"][0]
    else:
        expected = positions[2:34]
    np.testing.assert_array_equal(weights.positions, expected)
    for layer, exported in zip(model.layers, weights.layers, strict=True):
        matrix, up = layer.up.weight.detach().numpy(), exported.up
        assert np.all(np.abs(up.matrix() - matrix) <= up.scales.repeat(WIDTH, axis=1) * 0.51)
        np.testing.assert_array_equal(exported.after_attention.bias, layer.n1.bias.detach())


def test_the_service_encodes_as_the_exported_model_does(tmp_path, pretrained):
    model = _with_random_heads(read_pretrained(pretrained, 2))
    texts = ["W1 w2 w3 w4 w5 w6", "w9"]
    checkpoint = tmp_path / "weights.pt"
    torch.save(model.state_dict(), checkpoint)
    coefficients, intercepts = export_checkpoint(
        checkpoint, pretrained, tmp_path / "encoder", "tiny", 2, most_tokens=30
    )
    subwords = Subwords(pretrained)
    batch = padded(subwords.tokens(texts, 30), subwords.padding)
    expected = model(batch.tokens, batch.mask, batch.own)[0].detach().numpy()
    scores = Encoder.read(tmp_path / "encoder").means(texts) @ coefficients + intercepts
    np.testing.assert_allclose(scores[:, :2], expected, atol=0.15)  # weights of 8 bits


def test_a_base_that_reads_too_few_tokens_is_refused(tmp_path, pretrained):
    with pytest.raises(ModelFileError, match="reads at most"):
        export(read_pretrained(pretrained, 2), pretrained, tmp_path / "encoder", "tiny")


def test_a_checkpoint_of_another_shape_is_refused(tmp_path, pretrained):
    torch.save(read_pretrained(pretrained, 2, layers=2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelFileError, match="is not a checkpoint of the model"):
        export_checkpoint(tmp_path / "weights.pt", pretrained, tmp_path / "encoder", "tiny", 2)
