"""The two sides of gpu.py: what each process builds, and what it does when its turn comes."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from minillama.checkpoint.hf import meta_name_to_hf, rotary_heads
from minillama.checkpoint.hf_config import config_to_hf
from minillama.checkpoint.source import tensor_shapes
from minillama.config import PRESETS, ModelConfig
from minillama.generation import generate_ids
from minillama.model import Llama
from minillama.rope import permute_meta_to_hf
from minillama.train.data import Batch
from minillama.train.loop import train_step
from minillama.train.lora import LoRAConfig, add_lora, trainable_parameters
from minillama.train.machine import recomputing

LR, CLIP, N_BATCHES = 1e-3, 1.0, 2
LORA = LoRAConfig(rank=8, alpha=16.0, targets=("wq", "wv"))
CHECKED = 32  # tokens after the prompt, whose logits are compared
Arguments = argparse.Namespace
Turn = Callable[[int], Any]


def drawn_weights(config: ModelConfig, device: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Canonical name and value of every weight, the same ones for the same device."""
    generator = torch.Generator(device).manual_seed(0)
    for name, shape in tensor_shapes(config).items():
        weight = torch.ones(shape, device=device)
        if len(shape) > 1:
            deep = (2 * config.n_layers) ** 0.5 if name.endswith(("wo.weight", "w2.weight")) else 1.0
            weight.normal_(0, shape[1] ** -0.5 / deep, generator=generator)
        yield name, weight.bfloat16()


def drawn_adapters(config: ModelConfig) -> Iterator[tuple[str, torch.Tensor]]:
    """Canonical name of every adapted matrix, and the first A of its adapter."""
    generator = torch.Generator().manual_seed(1)
    for layer in range(config.n_layers):
        for target in LORA.targets:
            a = torch.rand(LORA.rank, config.dim, generator=generator)
            yield f"layers.{layer}.attention.{target}", (2 * a - 1) * config.dim**-0.5


@torch.no_grad()
def our_model(args: Arguments) -> Llama:
    """As `load` makes it on a device."""
    config = PRESETS[args.preset]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(args.device):
        model = Llama(config)
    torch.set_default_dtype(before)
    for name, weight in drawn_weights(config, args.device):
        model.get_parameter(name).copy_(weight)
    return model.eval()


@torch.no_grad()
def their_model(args: Arguments) -> Any:
    """The same weights in transformers' model."""
    import transformers

    config = PRESETS[args.preset]
    settings = transformers.LlamaConfig(**config_to_hf(config, "bf16", None, []))
    with torch.device(args.device):
        model = transformers.AutoModelForCausalLM.from_config(
            settings, dtype=torch.bfloat16, attn_implementation="sdpa"
        )
    for name, weight in drawn_weights(config, args.device):
        heads = rotary_heads(name, config)
        weight = weight if heads is None else permute_meta_to_hf(weight, heads)
        model.get_parameter(meta_name_to_hf(name)).copy_(weight)
    return model.eval()


def batches(args: Arguments, rows: int) -> list[Batch]:
    """Rows of random ids, of whose second half the prediction counts; few of them, so that they are learnt."""
    generator = torch.Generator().manual_seed(2)
    found = []
    for _ in range(N_BATCHES):
        tokens = torch.randint(3, PRESETS[args.preset].vocab_size, (rows, args.row), generator=generator)
        weights = torch.ones(tokens.shape)
        weights[:, : args.row // 2] = 0
        found.append(Batch(tokens, weights).to(args.device))
    return found


def adamw(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The same on both sides."""
    return torch.optim.AdamW(parameters, lr=LR, betas=(0.9, 0.999), weight_decay=0.0, fused=True)


def our_lora(args: Arguments, rows: int, recompute: bool) -> Turn:
    """minillama's own step."""
    model, data = our_model(args), batches(args, rows)
    layers = add_lora(model, LORA)
    for name, a in drawn_adapters(model.config):
        layers[name].lora_a.data.copy_(a)
    optimizer = adamw(trainable_parameters(model.train()))

    def step(index: int) -> float:
        with recomputing(model, recompute):
            return train_step(model, optimizer, [data[index % N_BATCHES]], LR, CLIP)

    return step


def their_lora(args: Arguments, rows: int, recompute: bool) -> Turn:
    """PEFT in the loop that its documentation shows."""
    import peft

    settings = peft.LoraConfig(
        r=LORA.rank, lora_alpha=LORA.alpha, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
    )
    model = their_model(args)
    model.config.use_cache = False
    model = peft.get_peft_model(model, settings)
    for name, a in drawn_adapters(PRESETS[args.preset]):
        theirs = "base_model.model." + meta_name_to_hf(f"{name}.weight").removesuffix(".weight")
        model.get_parameter(f"{theirs}.lora_A.default.weight").data.copy_(a)
    if recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    parameters = trainable_parameters(model.train())
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    optimizer = adamw(parameters)
    inputs = [
        {"input_ids": each.tokens, "labels": each.tokens.masked_fill(each.weights == 0, -100)}
        for each in batches(args, rows)
    ]

    def step(index: int) -> float:
        loss = model(**inputs[index % N_BATCHES]).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return loss.item()

    return step


def timed(args: Arguments, step: Turn) -> Turn:
    """A step with its seconds, the work of the device included."""

    def turn(index: int) -> tuple[float, float]:
        wait(args)
        began = time.perf_counter()
        loss = step(index)
        wait(args)
        return time.perf_counter() - began, loss

    return turn


def wait(args: Arguments) -> None:
    """Until the device has done its work."""
    if args.device != "cpu":
        torch.cuda.synchronize()


def prompt_ids(args: Arguments) -> list[int]:
    """Random ids, as many as a prompt has, and those of the check."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(3, PRESETS[args.preset].vocab_size, (args.prompt + CHECKED,), generator=generator).tolist()


def our_text(args: Arguments) -> Turn:
    """The times between two tokens of a text; at -1, the logits of the check."""
    model, ids = our_model(args), prompt_ids(args)

    def turn(index: int) -> Any:
        if index < 0:
            return step_logits(model, torch.tensor([ids], device=args.device), args.prompt)
        moments = [time.perf_counter() for _ in generate_ids(model, [ids[: args.prompt]], args.new)]
        return [later - earlier for earlier, later in pairwise(moments)]

    return turn


@torch.no_grad()
def step_logits(model: Llama, tokens: torch.Tensor, first: int) -> Any:
    """The logits of steps after a prompt, (CHECKED, V) as a NumPy array, which processes can exchange."""
    cache = model.new_cache(1, tokens.shape[1])
    model(tokens[:, :first], cache)
    steps = [model(tokens[:, place : place + 1], cache)[0] for place in range(first, tokens.shape[1])]
    return torch.cat(steps).cpu().numpy()


def their_text(args: Arguments) -> Turn:
    """The same of transformers; each token is seen by a streamer, as it is in ours by the caller."""
    model, ids = their_model(args), torch.tensor([prompt_ids(args)], device=args.device)

    class Clock:
        def __init__(self) -> None:
            self.moments: list[float] = []

        def put(self, tokens: torch.Tensor) -> None:
            self.moments.append(time.perf_counter())

        def end(self) -> None:
            pass

    def turn(index: int) -> Any:
        if index < 0:
            with torch.no_grad():
                return model(ids).logits[0, args.prompt :].float().cpu().numpy()
        clock, prompt = Clock(), ids[:, : args.prompt]
        model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=args.new, min_new_tokens=args.new,
            do_sample=False, streamer=clock, pad_token_id=0,
        )  # fmt: skip
        moments = clock.moments[1:]  # the first is the prompt's
        return [later - earlier for earlier, later in pairwise(moments)]

    return turn


def work(pipe: Any, arm: str, args: Arguments, setting: tuple) -> None:
    """One arm, in a process of its own: a turn for each index that comes in, and at the end the peak of memory."""
    here = Path(__file__).resolve().parent  # its peft.py and tokenizers.py are not the libraries of these names
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    turns: dict[str, Callable[[], Turn]] = {
        "our lora": lambda: timed(args, our_lora(args, *setting)),
        "peft": lambda: timed(args, their_lora(args, *setting)),
        "our text": lambda: our_text(args),
        "transformers": lambda: their_text(args),
    }
    turn = turns[arm]()
    pipe.send("ready")
    while (index := pipe.recv()) is not None:
        pipe.send(turn(index))
    pipe.send(0 if args.device == "cpu" else torch.cuda.max_memory_allocated())
