"""Fine-tuning from the command line."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer import Option

from minillama.cli.app import note
from minillama.cli.arguments import (
    DeviceOption,
    DtypeOption,
    ModelArgument,
    QuantOption,
    ThreadsOption,
    TokenizerOption,
    find_model,
    use_threads,
)
from minillama.cli.processes import join_training
from minillama.cli.progress import progress
from minillama.cli.training import RecomputeOption, reporter

if TYPE_CHECKING:
    from minillama.model import Llama
    from minillama.tokenizer import Tokenizer
    from minillama.train.alpaca import SampleBatches
    from minillama.train.finetune import Example
    from minillama.train.lora import LoRAConfig

# alpaca-lora's recipe, see finetune.ALPACA_LORA for its adapters
EPOCHS, BATCH_SIZE, MICRO_BATCH, MAX_LEN, WARMUP_STEPS = 3, 128, 4, 256, 100
LR, FULL_LR = 3e-4, 2e-5  # of alpaca-lora; of Stanford's training of all weights of a 7B
MICRO_BATCH_HELP = f"Records at once, fewer take less memory: {MICRO_BATCH}, or 1 on a CPU from a billion weights on."
WARMUP_SHARE = 0.1  # of the steps at most, so that a short run has its full rate too
VALIDATION_SHARE, VALIDATION_SAMPLES = 0.02, 400  # held out at most
SHORT_NAMES = {"q": "wq", "k": "wk", "v": "wv", "o": "wo", "gate": "w1", "down": "w2", "up": "w3"}


@dataclass(frozen=True, kw_only=True)
class Data:
    """What is trained on, what is held out, and what is answered before and after."""

    training: "SampleBatches"
    validation: "SampleBatches | None"
    examples: "list[Example]"
    sha256: str


def read_targets(text: str) -> tuple[str, ...]:
    """The matrices of --targets.

    >>> read_targets("q,v"), read_targets("wq, gate_proj")
    (('wq', 'wv'), ('wq', 'w1'))
    """
    if text.strip() == "all":
        return tuple(SHORT_NAMES.values())
    names = [name.strip().removesuffix("_proj") for name in text.split(",")]
    found = tuple(SHORT_NAMES.get(name, name) for name in names)
    wrong = [name for name, target in zip(names, found, strict=True) if target not in SHORT_NAMES.values()]
    if wrong:
        expected = f"{', '.join(SHORT_NAMES)} (Llama's names too), or all"
        raise typer.BadParameter(f"--targets holds {wrong[0] or 'an empty name'}, expected some of {expected}")
    return found


def read_data(
    file: Path, tokenizer: "Tokenizer", *, template: str, whole: bool, max_len: int, batch_size: int | None,
    micro_batch: int, validation_share: float, n_examples: int, seed: int,
) -> Data:  # fmt: skip
    """Read, check and split the records, and say on standard error what was found."""
    from minillama.train.alpaca import SampleBatches, encode_samples, format_prompt
    from minillama.train.finetune import Example
    from minillama.train.records import check_records, read_records, split_records

    records = read_records(file)
    left, findings = check_records(records)
    n_held_out = min(VALIDATION_SAMPLES, round(validation_share * len(left)))
    taught, held_out = split_records(left, n_held_out)
    samples, more = encode_samples(taught, tokenizer, max_len, template, whole)
    for finding in (*findings, *more):
        if finding.numbers:
            note(f"  {finding}")
    note(f"{len(records)} records: {len(samples)} to train on, {len(held_out)} held out")
    validation = encode_samples(held_out, tokenizer, max_len, template, whole)[0] if held_out else []
    examples = [
        Example(prompt=format_prompt(each.instruction, each.input, template), wanted=each.output)
        for each in (held_out or taught)[:n_examples]
    ]
    return Data(
        training=SampleBatches(samples, batch_size or min(BATCH_SIZE, len(samples)), micro_batch, seed),
        validation=SampleBatches(validation, min(micro_batch, len(validation))) if validation else None,
        examples=examples,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )


def show_examples(path: Path) -> None:
    """Print what the model answered before and after, to standard error."""
    for row in json.loads(path.read_text(encoding="utf-8")):
        asked = row["prompt"].partition("### Instruction:\n")[2].removesuffix("### Response:").strip()
        note(f"\n{asked}\n  before: {row['before'].strip()}\n  after:  {row['after'].strip()}")
        note(f"  wanted: {row['wanted'].strip()}")


def finetune(
    data: Annotated[Path, Option(help="Records in Alpaca's format: a .json list, or .jsonl.")],
    out: Annotated[Path, Option(help="Folder for the adapter, the checkpoint and the log.")],
    model: ModelArgument = None,
    rank: Annotated[int, Option(min=1, help="Of the adapters.")] = 8,
    alpha: Annotated[float, Option(help="The adapters' product is scaled by alpha / rank.")] = 16.0,
    dropout: Annotated[float, Option(help="Share of the adapters' input that is zeroed.")] = 0.05,
    targets: Annotated[str, Option(help="Matrices that get an adapter: q,k,v,o,gate,up,down, or all.")] = "q,v",
    rslora: Annotated[bool, Option("--rslora", help="Scale by alpha / sqrt(rank).")] = False,
    full: Annotated[bool, Option("--full", help="Train all weights instead of adapters.")] = False,
    epochs: Annotated[float, Option(help="Times that the data are read.")] = EPOCHS,
    steps: Annotated[int | None, Option(min=1, help="Optimizer steps, instead of --epochs.")] = None,
    lr: Annotated[float | None, Option(help="Learning rate after the warm-up; 3e-4, with --full 2e-5.")] = None,
    schedule: Annotated[str, Option(help="After the warm-up: linear, cosine or constant.")] = "linear",
    batch_size: Annotated[int | None, Option(min=1, help="Records a step; 128, or all where they are fewer.")] = None,
    micro_batch: Annotated[int | None, Option(min=1, help=MICRO_BATCH_HELP)] = None,
    max_len: Annotated[int, Option(min=8, help="Tokens of prompt and response; longer ones are cut.")] = MAX_LEN,
    template: Annotated[str, Option(help="stanford or alpaca-lora.")] = "stanford",
    train_on: Annotated[str, Option(help="response, or all: the prompt's tokens too.")] = "response",
    validation_share: Annotated[float, Option(min=0, max=0.5, help="Of the records.")] = VALIDATION_SHARE,
    samples: Annotated[int, Option(min=0, help="Records answered before and after.")] = 3,
    save_every: Annotated[int, Option(min=1, help="Steps between two checkpoints.")] = 20,
    stop_after: Annotated[int | None, Option(min=1, help="Stop after this step; the same command goes on.")] = None,
    merge_to: Annotated[Path | None, Option(help="Write the tuned model too: a .gguf file, or a folder.")] = None,
    seed: Annotated[int, Option(min=0, help="Of the adapters, the order and the dropout.")] = 0,
    bf16: Annotated[bool, Option(help="Matrix products in bfloat16.")] = False,
    recompute: RecomputeOption = False,
    quant: QuantOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = None,
    tokenizer: TokenizerOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Teach a model to follow instructions; a run that was stopped goes on by the same command.

    What is left out is the recipe of alpaca-lora, with the loss on the responses. Under torchrun, the processes share
    the weights, the gradients and the work.
    """
    path = find_model(model)
    _one_of("--train-on", train_on, ("response", "all"))
    _one_of("--schedule", schedule, ("linear", "cosine", "constant"))
    if merge_to is not None:
        _check_merge(merge_to, full)
    lora = None if full else _lora(rank, alpha, dropout, targets, rslora)
    use_threads(threads)
    from minillama.model import count_parameters
    from minillama.train.finetune import EXAMPLES
    from minillama.train.finetune import finetune as run
    from minillama.train.recipe import TrainConfig

    processes = join_training(device)
    loaded, words = _load(path, full, quant, processes.loading_device(device), dtype, tokenizer)
    if micro_batch is None:  # 4 records of 256 tokens of a 7B keep 9 GB for the way back
        micro_batch = 1 if device == "cpu" and count_parameters(loaded.config) >= 1e9 else MICRO_BATCH
    read = read_data(
        data, words, template=template, whole=train_on == "all", max_len=min(max_len, loaded.config.max_seq_len),
        batch_size=batch_size,
        micro_batch=micro_batch, validation_share=validation_share, n_examples=samples, seed=seed,
    )  # fmt: skip
    n_steps = steps or max(1, round(epochs * read.training.steps_per_epoch))
    config = TrainConfig(
        n_steps=n_steps, peak_lr=lr or (FULL_LR if full else LR), schedule=cast(Any, schedule), floor=0.0,
        warmup_steps=min(WARMUP_STEPS, int(WARMUP_SHARE * n_steps)), weight_decay=0.0, betas=(0.9, 0.999), seed=seed,
        bf16=bf16, recompute=recompute, eval_every=max(1, n_steps // 10), save_every=save_every,
    )  # fmt: skip
    about = {"data": read.sha256, "template": template, "train_on": train_on, "max_len": max_len, "quant": quant}
    about |= {"batch_size": read.training.batch_size, "micro_batch": micro_batch, "validation_share": validation_share}
    last = min(n_steps, stop_after or n_steps)
    with progress() as report:
        made = run(
            loaded, words, read.training, config, out, lora=lora, base=path.name, validation=read.validation,
            validation_steps=read.validation.steps_per_epoch if read.validation else 1, examples=read.examples,
            report=reporter(report, last), stop_after=stop_after, about=about, processes=processes,
        )  # fmt: skip
    show_examples(out / EXAMPLES)
    print(made)
    if merge_to is not None and last == n_steps and processes.first:
        _merge(path, tokenizer, quant, made, merge_to)


def _one_of(option: str, value: str, expected: tuple[str, ...]) -> None:
    if value not in expected:
        raise typer.BadParameter(f"{option} is {value}, expected {', '.join(expected[:-1])} or {expected[-1]}")


def _check_merge(merge_to: Path, full: bool) -> None:
    from minillama.checkpoint.files import check_output

    if full:
        raise typer.BadParameter("--merge-to joins an adapter and its base, but --full trains the base: leave it out")
    check_output(merge_to, overwrite=False)  # before the long work


def _lora(rank: int, alpha: float, dropout: float, targets: str, rslora: bool) -> "LoRAConfig":
    from minillama.train.lora import LoRAConfig

    return LoRAConfig(
        rank=rank, alpha=alpha, dropout=dropout, targets=read_targets(targets), rank_stabilized=rslora
    )  # fmt: skip


def _load(
    path: Path, full: bool, quant: str | None, device: str, dtype: str | None, tokenizer: Path | None
) -> "tuple[Llama, Tokenizer]":
    """The torch model, which gradients flow through; all of its weights as float32 where they are to learn."""
    from minillama import load
    from minillama.model import Llama, Pieces

    if full and (quant not in (None, "none") or dtype not in (None, "float32")):
        raise typer.BadParameter(f"--full trains float32 weights, got {quant or dtype}: leave --quant and --dtype out")
    quant, dtype = ("none", "float32") if full else (quant, dtype)
    loaded, words = load(path, quant=quant, device=device, dtype=dtype, pieces=Pieces(), tokenizer=tokenizer)
    return cast(Llama, loaded), words


def _merge(path: Path, tokenizer: Path | None, quant: str | None, made: Path, merge_to: Path) -> None:
    from minillama.checkpoint.opening import open_checkpoint
    from minillama.train.adapters import read_adapter
    from minillama.train.finetune import trained_on, write_merged

    checkpoint = open_checkpoint(path, tokenizer)
    write_merged(trained_on(checkpoint, quant), read_adapter(made, checkpoint.config), merge_to)
    print(merge_to)
