"""Shares of a model over processes: they are whole heads, they make up the model, and they give its logits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minillama
from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import from_model, tensor_shapes
from minillama.cli.processes import load_share
from minillama.config import ModelConfig
from minillama.errors import ConfigError
from minillama.model import Llama
from minillama.parallel import local_config, share_of, split_columns
from tests.processes import torchrun

CONFIG = ModelConfig(
    dim=48, n_layers=2, n_heads=6, n_kv_heads=3, head_dim=10, hidden_dim=77, vocab_size=2048, max_seq_len=64
)


@given(st.integers(1, 9), st.integers(1, 30), st.integers(1, 5))
def test_shares_are_whole_units_and_make_up_the_matrix(n, units, unit):
    weight = torch.arange(units * unit)[:, None]
    shares = [split_columns(weight, n, rank, unit) for rank in range(n)]
    assert torch.equal(torch.cat(shares), weight)
    sizes = [len(share) // unit for share in shares]
    assert [len(share) % unit for share in shares] == [0] * n
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_shares_have_the_sizes_of_the_local_config(n):
    for rank in range(n):
        wanted = tensor_shapes(local_config(CONFIG, n, rank))
        for name, shape in tensor_shapes(CONFIG).items():
            assert tuple(share_of(name, torch.zeros(shape), CONFIG, n, rank).shape) == wanted[name]


def test_a_key_head_stays_with_its_query_heads():
    """The rows of wq, wk, wv and the columns of wo that each process holds belong to the same groups."""
    heads = torch.arange(6).repeat_interleave(10)[:, None].expand(60, 48)
    groups = torch.arange(3).repeat_interleave(10)[:, None].expand(30, 48)
    for rank in range(2):
        own = {name: share_of(f"layers.0.attention.{name}.weight", weight, CONFIG, 2, rank).unique().tolist()
               for name, weight in (("wq", heads), ("wk", groups), ("wv", groups), ("wo", heads.T))}  # fmt: skip
        assert own["wk"] == own["wv"] == [[0, 1], [2]][rank]
        assert own["wq"] == own["wo"] == [[0, 1, 2, 3], [4, 5]][rank]


def test_more_processes_than_key_heads_are_refused():
    with pytest.raises(ConfigError, match="4 processes for 3 key/value heads"):
        local_config(CONFIG, 4, 0)


@pytest.mark.parametrize("n", [2, 3])
def test_processes_give_the_logits_of_one(n, tmp_path):
    """Tied and untied, with a cache and without, where heads, channels and words do not go round evenly."""
    untied = Llama(CONFIG).requires_grad_(False)
    untied.init_weights(seed=1)
    tokenizer = minillama.load_tokenizer()
    write_gguf(from_model(untied, tokenizer), tmp_path / "untied.gguf", format="f32")
    paths = [bundled_model(), tmp_path / "untied.gguf"]
    run = torchrun(n, "tests.parallel_worker", tmp_path, *paths)
    assert run.returncode == 0, run.stderr[-2000:]
    outcomes = [torch.load(tmp_path / f"{rank}.pt") for rank in range(n)]
    for i, path in enumerate(paths):
        model, _ = minillama.load(path, dtype="float32")
        with torch.inference_mode():
            wanted = model(torch.arange(2 * 24).view(2, 24) * 7 % 200)
        for found, *_ in outcomes:
            torch.testing.assert_close(found[i][0], wanted, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(found[i][1], wanted, rtol=1e-5, atol=1e-5)
            assert torch.equal(found[i][0], outcomes[0][0][i][0])  # all processes go on with the same word
        sizes = [found[i][2] for found, *_ in outcomes]
        norms = (2 * model.config.n_layers + 1) * model.config.dim
        assert sum(sizes) == sum(each.numel() for each in model.parameters()) + (n - 1) * norms
    assert all(same for _, same, _ in outcomes)
    assert len({seed for *_, seed in outcomes}) == 1


def test_generate_under_torchrun_prints_the_text_once():
    run = torchrun(2, "minillama", "generate", "--prompt", "Once upon a time", "--max-new-tokens", 12)
    model, tokenizer = minillama.load()
    text = minillama.generate(model, tokenizer, "Once upon a time", max_new_tokens=12)
    assert run.stdout == f"Once upon a time{text}\n", run.stderr[-2000:]


def test_a_share_of_a_quantized_model_is_refused():
    with pytest.raises(ConfigError, match="quant is 'q8_0', but a model over several processes keeps floats"):
        load_share(bundled_model(), quant="q8_0", device="cpu", dtype=None, tokenizer=None)
