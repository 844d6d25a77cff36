"""The bundled model's recipe in one call: stories, a vocabulary learned from them, a model trained on them, one file.

Everything follows from the seed. A run that was interrupted goes on where its last checkpoint was.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import from_model
from minillama.config import PRESETS, ModelConfig
from minillama.errors import ConfigError
from minillama.files import new_file
from minillama.generation import generate
from minillama.model import Llama
from minillama.tokenizer.bpe import FIRST_PIECES, alphabet, train_bpe, vocabulary_from_merges
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer, serialize_vocabulary
from minillama.train.copying import Copying, set_weights_to_copy
from minillama.train.corpus import stories
from minillama.train.data import Windows, encode_documents, take_tokens
from minillama.train.loop import evaluate_loss, train
from minillama.train.machine import evaluating
from minillama.train.runs import Progress
from minillama.train.sharing import ALONE, Alone
from minillama.train.stages import Stage, StagedConfig, StagedText

log = logging.getLogger(__name__)

VOCABULARY_STORIES = 4000  # what the merges are learned from
VALIDATION_TOKENS = 100_000
VALIDATION_WINDOW, VALIDATION_ROWS, VALIDATION_STEPS = 256, 8, 8  # what an evaluation reads
SAMPLE_PROMPT, SAMPLE_TOKENS = "Once upon a time", 60
PRONOUNS = ("he", "she", "him", "her", "his", "himself", "herself")  # rare, and hard: their sense is far back
BUNDLED_RECIPE = StagedConfig(
    n_steps=9_000,
    peak_lr=1e-3,
    warmup_steps=50,
    stages=(
        Stage(share=0.074, seq_len=64, batch_size=16, copying=Copying()),
        Stage(share=0.0195, seq_len=128, batch_size=8, copying=Copying(shortest=4, longest=40, gap=16)),
        Stage(share=0.6565, seq_len=256, batch_size=8, repeat_share=0.25, emphasis=5.0),
        Stage(share=0.25, seq_len=1024, batch_size=2, repeat_share=0.25, emphasis=5.0),
    ),
    bf16=True,
    by_pieces=True,  # its losses are on record, to the last digit
)


def learn_vocabulary(documents: Iterator[str], vocab_size: int) -> SentencePieceTokenizer:
    """Learn a vocabulary of exactly `vocab_size` pieces from a text.

    Raises:
        ConfigError: the text has too few pairs for so many pieces.
    """
    text = "\n".join(documents)
    vocabulary = vocabulary_from_merges(train_bpe(text, vocab_size), alphabet(text))
    if len(vocabulary) != vocab_size:
        raise ConfigError(f"the text gives {len(vocabulary)} pieces, expected {vocab_size}: take a smaller vocabulary")
    return SentencePieceTokenizer(vocabulary)


def pronoun_ids(tokenizer: SentencePieceTokenizer) -> list[int]:
    """The pieces that are a whole pronoun, with a capital or without."""
    words = {"▁" + form for word in PRONOUNS for form in (word, word.capitalize())}
    return [i for i, piece in enumerate(tokenizer.vocabulary.pieces) if piece in words]


def pretrain(
    out: Path,
    *,
    config: ModelConfig = PRESETS["tiny"],
    recipe: StagedConfig = BUNDLED_RECIPE,
    report: Callable[[Progress], None] = lambda progress: None,
    stop_after: int | None = None,
    snapshots: Collection[int] = (),
    micro_batch: int | None = None,
    processes: Alone = ALONE,
) -> Path:
    """Train a model on generated stories and write it as an F16 GGUF file with its tokenizer.

    Args:
        out: folder for everything: tokenizer.model, tokens.npy, checkpoint.pt, log.csv, samples.csv, model.gguf.
        config: the model's sizes.
        recipe: how long and how; its seed is the seed of the stories too.
        report: called after every step.
        stop_after: steps to stop after, to go on another time; None for the end of the run.
        snapshots: steps after which the model is written as it is then, to snapshot-NNNNNN.gguf in Q8_0.
        micro_batch: rows at once at most; the gradients of a step are summed over them.
        processes: that share the training, all of which call this (see distributed.py).

    Returns:
        The path of model.gguf.

    Raises:
        ConfigError: `out` holds a run with other settings, or a stage's windows are longer than the context.
    """
    longest = max(stage.seq_len for stage in recipe.stages)
    if longest > config.max_seq_len:
        raise ConfigError(f"seq_len is {longest}, expected at most {config.max_seq_len}, the model's context")
    out.mkdir(parents=True, exist_ok=True)
    with processes.in_turn():
        tokenizer = _tokenizer(out / "tokenizer.model", config, recipe.seed)
        stream = _tokens(out / "tokens.npy", tokenizer, recipe, "train", recipe.tokens_before(recipe.n_steps) + 1)
        held_out = _tokens(out / "held_out.npy", tokenizer, recipe, "held_out", VALIDATION_TOKENS)
    model = Llama(config)
    if recipe.stages[0].copying:
        set_weights_to_copy(model, recipe.seed)
    else:
        model.init_weights(recipe.seed)
    processes.share(model)
    source = StagedText(stream, recipe, (FIRST_PIECES, config.vocab_size), pronoun_ids(tokenizer), micro_batch)
    validation = Windows(held_out, VALIDATION_WINDOW, VALIDATION_ROWS, seed=0)

    def look() -> tuple[float, str]:
        with evaluating(model):
            text = generate(model, tokenizer, SAMPLE_PROMPT, SAMPLE_TOKENS)
        return evaluate_loss(model, validation, VALIDATION_STEPS), SAMPLE_PROMPT + text

    def after_step(progress: Progress) -> None:
        if progress.step in snapshots:
            write(f"snapshot-{progress.step:06}.gguf", "q8_0")
        report(progress)

    def write(name: str, format: str) -> Path:
        whole = processes.whole(model)
        if processes.first:
            write_gguf(from_model(whole, tokenizer), out / name, format=format)
        return out / name

    with processes.folder(out) as folder:
        train(
            model, source, recipe, folder, look=look, report=after_step, stop_after=stop_after,
            before_step=lambda step: source.choose_learning(model, step), about={"micro_batch": micro_batch},
            pieces=processes.pieces,
        )  # fmt: skip
    path = write("model.gguf", "f16")
    log.info("wrote %s", path)
    return path


def _tokenizer(path: Path, config: ModelConfig, seed: int) -> SentencePieceTokenizer:
    if not path.exists():
        log.info("learning %d pieces from %d stories", config.vocab_size, VOCABULARY_STORIES)
        learned = learn_vocabulary(islice(stories(seed), VOCABULARY_STORIES), config.vocab_size)
        with new_file(path) as file:
            file.write(serialize_vocabulary(learned.vocabulary))
    return SentencePieceTokenizer.from_file(path)


def _tokens(path: Path, tokenizer: SentencePieceTokenizer, recipe: StagedConfig, split: str, n: int) -> np.ndarray:
    note = path.with_suffix(".json")
    wanted = {"seed": recipe.seed, "split": split, "tokens": n}
    if not (path.exists() and note.exists() and json.loads(note.read_text(encoding="utf-8")) == wanted):
        log.info("writing %s tokens of stories to %s", f"{n:,}", path)
        note.unlink(missing_ok=True)  # it must not speak of tokens that are not there yet
        tokens = take_tokens(encode_documents(stories(recipe.seed, split), tokenizer), n)
        with new_file(path) as file:
            np.save(file, tokens)
        with new_file(note) as file:
            file.write(json.dumps(wanted).encode())
    return np.load(path, mmap_mode="r")
