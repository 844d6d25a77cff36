"""Low-rank adapters, against PEFT and against what they stand for."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from minillama.checkpoint.conversion import convert
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.hf import write_hf
from minillama.checkpoint.loading import load
from minillama.checkpoint.opening import open_checkpoint
from minillama.checkpoint.source import from_model
from minillama.cli import app
from minillama.config import PRESETS, ModelConfig
from minillama.errors import CheckpointError, ConfigError
from minillama.generation import generate
from minillama.model import Llama, Pieces
from minillama.quant.formats import quantize_q4_0, quantize_q8_0
from minillama.quant.linear import QuantLinear
from minillama.train.adapters import adapter_of, attach, merged_checkpoint, read_adapter, save_adapter
from minillama.train.lora import (
    TARGETS,
    LoRAConfig,
    LoRALinear,
    add_lora,
    lora_layers,
    merge,
    trainable_parameters,
    unmerge,
)

PEFT_WARNS = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of its own libraries
WHOLE = LoRAConfig(rank=4, alpha=8.0, targets=TARGETS)


@pytest.fixture
def bundled() -> tuple[Llama, object]:
    model, tokenizer = load(quant="none", dtype="float32")
    assert isinstance(model, Llama)
    return model, tokenizer


def learnt(model: Llama, config: LoRAConfig, seed: int = 0) -> Llama:
    """A model whose adapters are not zero any more."""
    generator = torch.Generator().manual_seed(seed)
    for layer in add_lora(model, config, seed).values():
        nn.init.normal_(layer.lora_b, std=0.02, generator=generator)
    return model


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(259, 2048, (2, 12), generator=torch.Generator().manual_seed(1))


def test_a_fresh_adapter_changes_nothing(bundled, tokens):
    model, _ = bundled
    before = model(tokens)
    add_lora(model, WHOLE)
    torch.testing.assert_close(model(tokens), before, rtol=0, atol=0)


def test_only_the_adapters_learn(bundled, tokens):
    model, _ = bundled
    layers = add_lora(model, LoRAConfig(rank=4, targets=("wq", "wv")))
    assert set(layers) == {f"layers.{i}.attention.{name}" for i in range(4) for name in ("wq", "wv")}
    model(tokens).sum().backward()
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == {f"{name}.lora_{half}" for name in layers for half in "ab"}


def test_parameters_of_llama_2_7b():
    with torch.device("meta"):
        model = Llama(PRESETS["llama2-7b"])
        add_lora(model, LoRAConfig(rank=8, targets=("wq", "wv")))
    assert sum(parameter.numel() for parameter in trainable_parameters(model)) == 4_194_304


@pytest.mark.parametrize("rank_stabilized", [False, True])
def test_the_scale_is_the_papers(rank_stabilized):
    model = nn.ModuleDict({"wq": nn.Linear(6, 5, bias=False)})
    layer = add_lora(model, LoRAConfig(rank=4, alpha=6.0, rank_stabilized=rank_stabilized))["wq"]
    nn.init.ones_(layer.lora_b)
    x = torch.randn(3, 6)
    scale = 6 / 2 if rank_stabilized else 6 / 4
    expected = x @ layer.linear.weight.T + scale * (x @ layer.lora_a.T).sum(-1, keepdim=True)
    torch.testing.assert_close(layer(x), expected)


def test_dropout_leaves_the_base_alone():
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(64, 64, bias=False), rank=2, dropout=0.9)
    x = torch.randn(8, 64)
    torch.testing.assert_close(layer(x), layer.linear(x))  # B is zero: whatever dropout does, only W x is left
    nn.init.ones_(layer.lora_b)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


def test_merged_equals_unmerged(bundled, tokens):
    model, _ = bundled
    learnt(model, WHOLE)
    with torch.no_grad():
        apart = model(tokens)
        weight = model.layers[0].attention.wq.linear.weight.clone()
        for layer in model.modules():
            if isinstance(layer, LoRALinear):
                merge(layer)
                merge(layer)  # no second time
        torch.testing.assert_close(model(tokens), apart, rtol=0, atol=1e-4)
        for layer in model.modules():
            if isinstance(layer, LoRALinear):
                unmerge(layer)
        torch.testing.assert_close(model.layers[0].attention.wq.linear.weight, weight, rtol=0, atol=1e-6)
        torch.testing.assert_close(model(tokens), apart, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("quantize", "format"), [(quantize_q4_0, "q4_0"), (quantize_q8_0, "q8_0")])
def test_gradients_pass_a_quantized_base(quantize, format):
    weight = np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32)
    quantized = LoRALinear(QuantLinear(quantize(weight), format, (48, 64)), rank=3)
    plain = LoRALinear(nn.Linear(64, 48, bias=False), rank=3)
    with torch.no_grad():
        plain.linear.weight.copy_(quantized.linear.matrix.rows(slice(None)))
        plain.lora_a.copy_(quantized.lora_a)
        for layer in (quantized, plain):
            layer.lora_b.copy_(torch.linspace(-1, 1, 144).view(48, 3))
    inputs = [torch.randn(5, 64, generator=torch.Generator().manual_seed(2)).requires_grad_() for _ in range(2)]
    for layer, x in zip((quantized, plain), inputs, strict=True):
        layer(x).square().sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(quantized.lora_a.grad, plain.lora_a.grad)
    torch.testing.assert_close(quantized.lora_b.grad, plain.lora_b.grad)
    with pytest.raises(ConfigError, match="the base is quantized, expected floats"):
        merge(quantized)


@PEFT_WARNS
@pytest.mark.parametrize("config", [WHOLE, LoRAConfig(rank=3, alpha=5.5, targets=("wk", "w2"), rank_stabilized=True)])
def test_peft_loads_ours(bundled, tokens, tmp_path, config):
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    model, tokenizer = bundled
    write_hf(from_model(model, tokenizer), tmp_path / "base")
    learnt(model, config)
    save_adapter(adapter_of(model, config, base="base"), model.config, tmp_path / "adapter")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(theirs, str(tmp_path / "adapter"))
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, model(tokens), rtol=0, atol=1e-4)


@PEFT_WARNS
@pytest.mark.parametrize("rslora", [False, True])
def test_we_load_pefts(bundled, tokens, tmp_path, rslora):
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    model, tokenizer = bundled
    write_hf(from_model(model, tokenizer), tmp_path / "base")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    theirs = peft.get_peft_model(
        theirs, peft.LoraConfig(r=4, lora_alpha=6, target_modules=modules, use_rslora=rslora, init_lora_weights=False)
    )
    theirs.save_pretrained(str(tmp_path / "adapter"))
    attach(model, read_adapter(tmp_path / "adapter", model.config))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), theirs(tokens).logits, rtol=0, atol=1e-4)


def test_saved_over_a_4_bit_base_and_read_again(tokens, tmp_path):
    def base() -> Llama:
        model, _ = load(quant="q4_0", pieces=Pieces())
        assert isinstance(model, Llama)
        assert isinstance(model.layers[0].attention.wq, QuantLinear)
        return model

    model = learnt(base(), WHOLE)
    save_adapter(adapter_of(model, WHOLE), model.config, tmp_path / "adapter")
    again = base()
    attach(again, read_adapter(tmp_path / "adapter", again.config))
    with torch.no_grad():
        torch.testing.assert_close(again(tokens), model(tokens), rtol=0, atol=0)


def test_a_merged_checkpoint_is_the_model_with_its_adapter(bundled, tokens, tmp_path):
    model, _ = bundled
    learnt(model, WHOLE)
    adapter = adapter_of(model, WHOLE)
    base = convert_back(tmp_path)
    write_gguf(merged_checkpoint(open_checkpoint(base), adapter), tmp_path / "merged.gguf", format="f32")
    merged, _ = load(tmp_path / "merged.gguf", dtype="float32")
    with torch.no_grad():
        torch.testing.assert_close(merged(tokens), model(tokens), rtol=0, atol=1e-4)


def convert_back(folder: Path) -> Path:
    """The bundled model in another format, so that more than one reader is merged."""
    from minillama.checkpoint.bundled import bundled_model

    convert(bundled_model(), folder / "hf", to="hf")
    return folder / "hf"


def test_an_adapter_of_some_layers(bundled, tokens, tmp_path):
    model, _ = bundled
    learnt(model, LoRAConfig(rank=2, targets=("wv",)))
    whole = adapter_of(model, LoRAConfig(rank=2, targets=("wv",)))
    some = dataclasses.replace(whole, weights={"layers.1.attention.wv": whole.weights["layers.1.attention.wv"]})
    save_adapter(some, model.config, tmp_path / "some")
    other, _ = load(quant="none", dtype="float32")
    attach(other, read_adapter(tmp_path / "some", other.config))
    with torch.no_grad():
        for index, block in enumerate(model.layers):
            if index != 1:
                block.attention.wv.lora_b.zero_()
        torch.testing.assert_close(other(tokens), model(tokens))


@pytest.fixture
def saved(bundled, tmp_path) -> tuple[Path, ModelConfig]:
    model, _ = bundled
    config = LoRAConfig(rank=2, targets=("wq",))
    learnt(model, config)
    save_adapter(adapter_of(model, config), model.config, tmp_path / "adapter")
    return tmp_path / "adapter", model.config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3', expected 'LORA'"),
        ({"use_dora": True}, "the adapter uses use_dora, which minillama does not"),
        ({"rank_pattern": {"q_proj": 4}}, "the adapter uses rank_pattern"),
        ({"modules_to_save": ["lm_head"]}, "the adapter uses modules_to_save"),
        ({"bias": "all"}, "biases or transposed weights"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', which changes the base"),
        ({"r": 3}, "layers.0.attention.wq has A and B of"),
        ({"r": "two"}, "r is"),
        ({"r": 0}, "rank is 0, expected at least 1"),
    ],
)
def test_what_we_lack_is_refused(saved, change, message):
    folder, config = saved
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises((CheckpointError, ConfigError), match=message):
        read_adapter(folder, config)


def test_damaged_adapters_are_refused(saved, tmp_path):
    folder, config = saved
    other = dataclasses.replace(config, dim=128, n_heads=4, n_kv_heads=2)
    with pytest.raises(CheckpointError, match="another model's"):
        read_adapter(folder, other)
    weights = folder / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        read_adapter(folder, config)
    empty = b'{"__metadata__":{"format":"pt"}}'
    weights.write_bytes(len(empty).to_bytes(8, "little") + empty)
    with pytest.raises(CheckpointError, match="the adapter was saved empty"):
        read_adapter(folder, config)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors"):
        read_adapter(folder, config)


def test_an_adapter_that_is_there_is_not_overwritten(saved, bundled):
    folder, config = saved
    with pytest.raises(CheckpointError, match="exists and is not empty"):
        save_adapter(read_adapter(folder, config), config, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"targets": ("q_proj",)}, "targets are q_proj, expected some of wq"),
        ({"alpha": float("nan")}, "alpha is nan"),
    ],
)
def test_absurd_settings_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        LoRAConfig(**change)


def test_a_model_takes_one_adapter(bundled):
    model, _ = bundled
    add_lora(model, WHOLE)
    with pytest.raises(ConfigError, match="has adapters already"):
        add_lora(model, WHOLE)


@pytest.mark.parametrize("quant", [None, "q4_0"])
def test_the_command_line_generates_with_an_adapter(tokens, tmp_path, quant):
    model, tokenizer = load(quant=quant or "none", pieces=Pieces())
    learnt(model, WHOLE)
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_b, std=0.2, generator=torch.Generator().manual_seed(5))
    save_adapter(adapter_of(model, WHOLE), model.config, tmp_path / "adapter")
    wanted = generate(model, tokenizer, "Once upon a time", 8)
    assert wanted != generate(load()[0], tokenizer, "Once upon a time", 8)
    options = ["--prompt", "Once upon a time", "--max-new-tokens", "8", "--quant", quant or "none"]
    done = CliRunner().invoke(app, ["generate", *options, "--adapter", str(tmp_path / "adapter")])
    assert done.exit_code == 0
    assert done.stdout == f"Once upon a time{wanted}\n"


def test_an_adapter_that_is_not_there_is_one_line(tmp_path):
    done = CliRunner().invoke(app, ["generate", "--prompt", "a", "--adapter", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "adapter_config.json" in done.stderr
    assert len(done.stderr.splitlines()) == 1
