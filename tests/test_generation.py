import dataclasses
from collections.abc import Sequence

import pytest
import torch
from oracles import CONFIGS, random_llama, to_transformers

from minillama.config import ModelConfig
from minillama.errors import ContextLengthError, SamplingError
from minillama.generation import generate, generate_batch, generate_ids, stream, until_stop
from minillama.model import Llama


class Letters:
    """A tokenizer of bytes: id = byte + 3; 0, 1 and 2 are unknown, BOS and EOS."""

    vocab_size, bos_id, eos_id, stop_ids = 131, 1, 2, frozenset({2})

    def encode(self, text: str, bos: bool = True, eos: bool = False, special: bool = False) -> list[int]:
        return [1] * bos + [byte + 3 for byte in text.encode()] + [2] * eos

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        return bytes([token - 3]) if token > 2 else b""

    def piece(self, token: int) -> str:
        return repr(self.token_bytes(token))


class Script:
    """A model that says what it is told to: after n tokens of the row, the n-th of the script."""

    config = CONFIGS["multi-head"]

    def __init__(self, ids: Sequence[int], vocab_size: int = 260) -> None:
        self.ids, self.vocab_size, self.said = list(ids), vocab_size, 0

    def new_cache(self, batch_size: int, max_len: int) -> torch.nn.Module:
        return Llama(self.config).new_cache(batch_size, max_len)

    def __call__(self, tokens: torch.Tensor, cache: object) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, self.vocab_size)
        logits[:, -1, self.ids[self.said]] = 9.0
        self.said += 1
        return logits


def script(text: bytes) -> Script:
    return Script([byte + 3 for byte in text] + [2])


MODEL = random_llama(CONFIGS["grouped"])
LETTERS = Letters()


def test_the_last_logits_alone_are_the_same() -> None:
    tokens = torch.randint(3, 131, (2, 9), generator=torch.Generator().manual_seed(3))
    one, two = MODEL.new_cache(2, 12), MODEL.new_cache(2, 12)
    assert torch.allclose(MODEL(tokens, one, last_only=True), MODEL(tokens, two)[:, -1:], atol=1e-6)
    assert torch.equal(one.keys[:, :, :9], two.keys[:, :, :9])


def test_only_the_last_logits_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    unembed = MODEL.unembed
    monkeypatch.setattr(MODEL, "unembed", lambda x: (shapes.append(tuple(x.shape[:2])), unembed(x))[1])
    list(generate_ids(MODEL, [[5, 6, 7]], 3))
    assert shapes == [(1, 1)] * 3


@pytest.mark.parametrize("name", ["grouped", "tied", "sliding window", "llama 3.1 scaling"])
def test_greedy_equals_transformers(name: str) -> None:
    model = random_llama(CONFIGS[name])
    prompt = torch.randint(3, 131, (1, 20), generator=torch.Generator().manual_seed(2))
    theirs = to_transformers(model).generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=40,
        do_sample=False,
        eos_token_id=[],
        pad_token_id=0,
    )
    ours = [step[0] for step in generate_ids(model, prompt.tolist(), 40)]
    assert ours == theirs[0, 20:].tolist()


def test_the_prompt_is_not_part_of_the_completion_and_pieces_join_to_it() -> None:
    text = generate(MODEL, LETTERS, "hello", max_new_tokens=30)
    assert "".join(stream(MODEL, LETTERS, "hello", 30)) == text
    ids = [step[0] for step in generate_ids(MODEL, [LETTERS.encode("hello")], 30, stop_ids=(1, 2))]
    assert text == LETTERS.decode(ids)


def test_a_batch_of_any_lengths_says_what_each_prompt_alone_does() -> None:
    prompts = ["a", "hello there, how are you", "", "ab\ncd"]
    alone = [generate(MODEL, LETTERS, prompt, max_new_tokens=25) for prompt in prompts]
    assert generate_batch(MODEL, LETTERS, prompts, max_new_tokens=25) == alone
    assert generate_batch(MODEL, LETTERS, []) == []
    assert generate_batch(MODEL, LETTERS, (prompt for prompt in prompts), max_new_tokens=25) == alone


def test_a_long_prompt_is_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = generate(MODEL, LETTERS, "abcdefgh" * 20, max_new_tokens=10)
    monkeypatch.setattr("minillama.generation.PREFILL_CHUNK", 7)
    assert generate(MODEL, LETTERS, "abcdefgh" * 20, max_new_tokens=10) == whole


def test_seeds_repeat_and_differ() -> None:
    def draw(seed: int | None) -> str:
        return generate(MODEL, LETTERS, "hi", max_new_tokens=20, temperature=1.0, seed=seed)

    torch.manual_seed(0)
    assert draw(5) == draw(5)
    assert draw(5) != draw(6)
    assert draw(None) != draw(None)


def test_ends_at_eos_and_at_bos_without_saying_them() -> None:
    assert generate(script(b"the end"), LETTERS, "x") == "the end"
    assert generate(Script([100, 101, 1, 102]), LETTERS, "x") == "ab"


def test_stop_strings_are_left_out_even_across_tokens() -> None:
    said = b"one two\n\nthree"
    assert generate(script(said), LETTERS, "x", stop=["\n\n"]) == "one two"
    assert generate(script(said), LETTERS, "x", stop="two") == "one "
    assert generate(script(said), LETTERS, "x", stop=["four", "three!"]) == said.decode()
    assert generate_batch(script(said), LETTERS, ["x"], stop=["wo"]) == ["one t"]
    with pytest.raises(SamplingError, match="empty"):
        generate(script(said), LETTERS, "x", stop=["a", ""])


def test_what_may_be_the_beginning_of_a_stop_string_is_held_back() -> None:
    assert list(until_stop("aab#b##c", ["##"])) == ["a", "a", "b", "#b"]
    assert list(until_stop(["x", "y#"], ["##"])) == ["x", "y", "#"]
    assert list(until_stop(["the answer", " is 4"], ["answer is", "er i"])) == ["the "]


def test_characters_are_streamed_whole() -> None:
    said = "né 你好 🦙!"
    pieces = list(stream(script(said.encode()), LETTERS, "x"))
    assert "".join(pieces) == said
    assert pieces == list(said)
    assert "".join(stream(script(b"a\xf0\x9f"), LETTERS, "x")) == "a�"


def test_the_context_is_the_limit() -> None:
    config = ModelConfig(
        **{name: getattr(CONFIGS["grouped"], name) for name in ModelConfig.__slots__} | {"max_seq_len": 16}
    )
    model = random_llama(config)
    with pytest.raises(ContextLengthError, match="the prompt has 17 tokens, but the model's context is 16"):
        generate(model, LETTERS, "x" * 16)
    assert len(list(generate_ids(model, [[5] * 10], 100))) == 7  # 16 - 10, and the token after the last place
    assert len(list(generate_ids(model, [[5] * 16], 100))) == 1
    assert len(list(generate_ids(model, [[5] * 10], 3))) == 3
    assert generate(model, LETTERS, "x", max_new_tokens=0) == ""


def test_rows_end_one_by_one() -> None:
    class TwoRows(Script):
        def __call__(self, tokens: torch.Tensor, cache: object) -> torch.Tensor:
            logits = torch.zeros(*tokens.shape, self.vocab_size)
            logits[0, -1, 2 if self.said == 1 else 50] = 9.0
            logits[1, -1, 60] = 9.0
            self.said += 1
            return logits

    steps = list(generate_ids(TwoRows([]), [[1], [1]], 3, stop_ids=[2]))
    assert steps == [[50, 60], [None, 60], [None, 60]]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1},
        {"top_k": 0},
        {"top_p": 2.0},
        {"min_p": -1},
        {"repetition_penalty": 0},
        {"max_new_tokens": -1},
        {"top_k": 2.5},
        {"seed": 2**64},
        {"seed": "one"},
        {"stop": [1]},
        {"stop": 1},
        {"max_new_tokens": 2.5},
        {"max_new_tokens": None},
        {"temperature": 10**400},
        {"temperature": "0.5"},
        {"top_p": "all"},
        {"min_p": 1j},
        {"repetition_penalty": "1"},
    ],
)
def test_options_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(SamplingError, match=next(iter(options))):
        generate(MODEL, LETTERS, "x", **options)


@pytest.mark.parametrize("prompt", [None, b"x", ["x"], 1])
def test_prompts_that_are_no_text_are_refused(prompt: object) -> None:
    for function in (generate, stream):
        with pytest.raises(SamplingError, match=f"a prompt is of type {type(prompt).__name__}, expected a text"):
            function(MODEL, LETTERS, prompt)
    with pytest.raises(SamplingError, match="a prompt is of type"):
        generate_batch(MODEL, LETTERS, ["x", prompt])


@pytest.mark.parametrize("prompts", ["abc", None, 3])
def test_a_batch_must_be_a_list(prompts: object) -> None:
    with pytest.raises(SamplingError, match=f"prompts are of type {type(prompts).__name__}, expected a list"):
        generate_batch(MODEL, LETTERS, prompts)


def test_a_repetition_penalty_breaks_a_loop() -> None:
    loop = Script([50] * 10)
    assert [step[0] for step in generate_ids(loop, [[1]], 10)] == [50] * 10

    class Loop(Script):
        def __call__(self, tokens: torch.Tensor, cache: object) -> torch.Tensor:
            logits = torch.zeros(*tokens.shape, self.vocab_size)
            logits[:, -1, 50], logits[:, -1, 60] = 2.0, 1.5
            return logits

    said = [step[0] for step in generate_ids(Loop([]), [[1]], 4, repetition_penalty=1.5)]
    assert said[:2] == [50, 60]


def test_a_model_draws_with_its_own_piece() -> None:
    model = random_llama(CONFIGS["grouped"])
    heats = []

    def always_seventy(logits: torch.Tensor, temperature: float, *options: object) -> torch.Tensor:
        heats.append(temperature)
        return torch.full((logits.shape[0],), 70)

    model.pieces = dataclasses.replace(model.pieces, sample=always_seventy)
    assert list(generate_ids(model, [[1, 5]], 3, temperature=0.5)) == [[70]] * 3
    assert heats == [0.5] * 3
