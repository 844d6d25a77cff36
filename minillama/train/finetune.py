"""Fine-tuning: a model that exists learns from examples, in adapters beside its matrices or in all of its weights."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.hf import write_hf
from minillama.checkpoint.source import Checkpoint, StoredTensor, from_model
from minillama.checkpoint.tensors import float_format, read_checked, to_blocks
from minillama.errors import ConfigError
from minillama.files import new_file
from minillama.generation import generate_batch
from minillama.model import Llama
from minillama.quant.formats import FORMATS
from minillama.quant.linear import QuantEmbedding, QuantLinear
from minillama.tokenizer import Tokenizer
from minillama.train.adapters import Adapter, adapter_of, merged_checkpoint, save_adapter
from minillama.train.data import Source
from minillama.train.loop import evaluate_loss, train
from minillama.train.lora import LoRAConfig, add_lora
from minillama.train.machine import evaluating
from minillama.train.recipe import TrainConfig
from minillama.train.runs import CHECKPOINT, Progress
from minillama.train.sharing import ALONE, Alone

ALPACA_LORA = LoRAConfig(rank=8, alpha=16.0, dropout=0.05, targets=("wq", "wv"))
EXAMPLES = "examples.json"
ANSWER_TOKENS = 64  # of an example, at most


@dataclass(frozen=True, kw_only=True)
class Example:
    """A prompt whose answers before and after are kept beside the one that is wanted.

    Args:
        prompt: as the model is to read it, with BOS in front.
        wanted: what the data answer.
    """

    prompt: str
    wanted: str


def let_all_learn(model: Llama) -> None:
    """Let every weight learn, in memory of its own: `load` leaves some in the file, which is not to be written.

    Raises:
        ConfigError: a matrix is quantized, or weights are not float32, in which small steps would be lost.
    """
    quantized = [name for name, module in model.named_modules() if isinstance(module, QuantLinear | QuantEmbedding)]
    others = [name for name, parameter in model.named_parameters() if parameter.dtype != torch.float32]
    if quantized or others:
        raise ConfigError(
            f"{(quantized + others)[0]} is no float32 matrix, expected all weights to be: "
            "load it with quant='none' and dtype='float32', or train adapters"
        )
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)


def answers(model: Llama, tokenizer: Tokenizer, prompts: Sequence[str]) -> list[str]:
    """The likeliest answer to each prompt, without dropout."""
    with evaluating(model):
        return generate_batch(model, tokenizer, prompts, ANSWER_TOKENS)


def _with_answers(rows: list[dict[str, str]], when: str, texts: Sequence[str]) -> list[dict[str, str]]:
    return [{**row, when: text} for row, text in zip(rows, texts, strict=True)]


def _write_json(path: Path, rows: list[dict[str, str]]) -> None:
    with new_file(path) as file:
        file.write((json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def finetune(
    model: Llama,
    tokenizer: Tokenizer,
    source: Source,
    config: TrainConfig,
    out: Path,
    *,
    lora: LoRAConfig | None = ALPACA_LORA,
    base: str = "",
    validation: Source | None = None,
    validation_steps: int = 1,
    examples: Sequence[Example] = (),
    report: Callable[[Progress], None] = lambda progress: None,
    stop_after: int | None = None,
    about: Mapping[str, Any] = {},
    processes: Alone = ALONE,
) -> Path:
    """Teach a model; goes on from `out`/checkpoint.pt when that is there.

    Args:
        model: as `load` gives it with pieces=Pieces(), or "my_llama", whose LoRALinear then makes the adapters: the
            torch model, of float or quantized matrices.
        tokenizer: of the model.
        source: what it learns from.
        config: the recipe; its seed is that of the adapters too.
        out: folder for checkpoint.pt, log.csv, samples.csv, examples.json, and what was made.
        lora: of the adapters; None lets all weights learn, which have to be floats.
        base: name or path of the model, for whoever finds the adapter.
        validation: held-out data, of which `validation_steps` steps are read.
        examples: are answered before and after, and the first of them now and then.
        report, stop_after, about: see loop.train.
        processes: that share the training, all of which call this with the model on a CPU (see distributed.py).

    Returns:
        The folder of the adapter, in PEFT's format, or model.gguf where all weights learn.

    Raises:
        ConfigError, CheckpointError, DataError: see loop.train; or all weights are to learn and some are quantized.
    """
    if lora is None:
        let_all_learn(model)
    else:
        add_lora(model, lora, config.seed)
    processes.share(model)
    out.mkdir(parents=True, exist_ok=True)
    prompts = [example.prompt for example in examples]
    if not ((out / CHECKPOINT).exists() and (out / EXAMPLES).exists()):
        rows, texts = [asdict(example) for example in examples], answers(model, tokenizer, prompts)
        if processes.first:
            _write_json(out / EXAMPLES, _with_answers(rows, "before", texts))

    def look() -> tuple[float | None, str]:
        held = evaluate_loss(model, validation, validation_steps) if validation else None
        return held, "".join(answers(model, tokenizer, prompts[:1]))

    kept = {**about, "lora": None if lora is None else asdict(lora), "model": asdict(model.config)}
    with processes.folder(out) as folder:
        train(
            model, source, config, folder, look=look, report=report, stop_after=stop_after, about=kept,
            pieces=processes.pieces,
        )  # fmt: skip
    rows = json.loads((out / EXAMPLES).read_text(encoding="utf-8"))
    texts = answers(model, tokenizer, [row["prompt"] for row in rows])
    if processes.first:
        _write_json(out / EXAMPLES, _with_answers(rows, "after", texts))
    return _write_taught(model, tokenizer, out, lora, base, processes)


def _write_taught(
    model: Llama, tokenizer: Tokenizer, out: Path, lora: LoRAConfig | None, base: str, processes: Alone
) -> Path:
    """Write what was made, and say where."""
    if lora is None:
        whole = processes.whole(model)
        if processes.first:
            write_gguf(from_model(whole, tokenizer), out / "model.gguf", format="f16")
        return out / "model.gguf"
    adapter = adapter_of(model, lora, base, processes.whole_tensor)
    if processes.first:
        save_adapter(adapter, model.config, out / "adapter", overwrite=True)
    return out / "adapter"


def trained_on(checkpoint: Checkpoint, quant: str | None) -> Checkpoint:
    """The weights that an adapter was trained on: those of the file, or as `load` quantized them.

    Args:
        checkpoint: of the file.
        quant: as given to `load`.
    """
    if quant in (None, "none"):
        return checkpoint
    tensors = dict(checkpoint.tensors)
    for name, stored in checkpoint.tensors.items():
        if len(stored.shape) == 2 and stored.shape[1] % FORMATS[quant].block_size == 0:
            tensors[name] = _quantized(name, stored, quant)
    return dataclasses.replace(checkpoint, tensors=tensors)


def _quantized(name: str, stored: StoredTensor, quant: str) -> StoredTensor:
    def read() -> np.ndarray:
        return to_blocks(name, read_checked(name, stored), stored.format, quant)

    return StoredTensor(shape=stored.shape, format=quant, read=read, mapped=False)


def write_merged(checkpoint: Checkpoint, adapter: Adapter, out: Path) -> None:
    """Write a model with an adapter added to it: a GGUF file where `out` ends so, else a folder of Hugging Face's.

    Args:
        checkpoint: what the adapter was trained on, see trained_on.
        adapter: of that model.
        out: the file or folder; it appears whole or not at all.

    Raises:
        CheckpointError: the adapter is another model's, or `out` cannot be written.
    """
    merged, format = merged_checkpoint(checkpoint, adapter), float_format(checkpoint.tensors)
    if out.suffix == ".gguf":
        write_gguf(merged, out, format)
    else:
        write_hf(merged, out, format=format)
