"""Published weights that `minillama download` knows by name, and which files of a repository a model needs."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from minillama.errors import DownloadError

_TEXT_FILES = (
    "config.json", "generation_config.json", "params.json", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip
_LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "USE_POLICY.md")
_WEIGHTS = (  # the best first: what stands further down holds the same tensors a second time
    re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?"),
    re.compile(r"[^/]+\.safetensors"),
    re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin(\.index\.json)?"),
    re.compile(r"consolidated\.\d+\.pth"),
    re.compile(r"[^/]+\.gguf"),
)
_SPLIT = re.compile(r"(.*)-\d{5}-of-(\d{5})\.gguf")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One entry of the catalogue.

    Args:
        repository: "owner/name" on the Hugging Face Hub.
        licence: of the weights.
        size_bytes: of the weights, from their count and type; the repository says the exact size at download.
        gated: the owner asks for the licence to be accepted in a browser, and for a token.
        note: what it is good for.
        files: the weight files to bring; empty means those that a model needs.
    """

    repository: str
    licence: str
    size_bytes: int
    gated: bool = False
    note: str = ""
    files: tuple[str, ...] = ()


CATALOGUE: dict[str, Weights] = {
    "tinyllama-1.1b-chat": Weights(
        repository="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        licence="Apache 2.0",
        size_bytes=2_200_096_768,
        note="the smallest real chat model; bfloat16 safetensors",
    ),
    "tinyllama-1.1b": Weights(
        repository="TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T",
        licence="Apache 2.0",
        size_bytes=4_400_193_536,
        note="base model after 3T tokens; float32",
    ),
    "open-llama-3b": Weights(
        repository="openlm-research/open_llama_3b",
        licence="Apache 2.0",
        size_bytes=6_852_947_200,
        note="LLaMA's recipe on open data; float16 .bin",
    ),
    "open-llama-7b": Weights(
        repository="openlm-research/open_llama_7b",
        licence="Apache 2.0",
        size_bytes=13_476_831_232,
        note="LLaMA 7B's shape on open data; float16 .bin",
    ),
    "open-llama-3b-v2": Weights(
        repository="openlm-research/open_llama_3b_v2",
        licence="Apache 2.0",
        size_bytes=6_852_947_200,
        note="second mixture, better with code",
    ),
    "open-llama-7b-v2": Weights(
        repository="openlm-research/open_llama_7b_v2",
        licence="Apache 2.0",
        size_bytes=13_476_831_232,
        note="second mixture, better with code",
    ),
    "llama2-7b-q4_0": Weights(
        repository="TheBloke/Llama-2-7B-GGUF",
        licence="Llama 2 Community",
        size_bytes=3_825_000_000,
        note="7B in 4 bits for a laptop of 8 GB; GGUF",
        files=("llama-2-7b.Q4_0.gguf",),
    ),
    "llama2-7b": Weights(
        repository="meta-llama/Llama-2-7b",
        licence="Llama 2 Community",
        size_bytes=13_476_831_232,
        gated=True,
        note="Meta's own layout (consolidated.00.pth)",
    ),
    "llama2-7b-hf": Weights(
        repository="meta-llama/Llama-2-7b-hf",
        licence="Llama 2 Community",
        size_bytes=13_476_831_232,
        gated=True,
        note="the same in Hugging Face's layout",
    ),
    "llama3-8b": Weights(
        repository="meta-llama/Meta-Llama-3-8B",
        licence="Llama 3 Community",
        size_bytes=16_060_522_496,
        gated=True,
        note="128,256 pieces, grouped queries",
    ),
    "llama3.1-8b": Weights(
        repository="meta-llama/Llama-3.1-8B",
        licence="Llama 3.1 Community",
        size_bytes=16_060_522_496,
        gated=True,
        note="context of 131,072 by RoPE scaling",
    ),
    "llama3.2-1b": Weights(
        repository="meta-llama/Llama-3.2-1B",
        licence="Llama 3.2 Community",
        size_bytes=2_471_628_800,
        gated=True,
        note="the smallest of Meta's",
    ),
    "mistral-7b": Weights(
        repository="mistralai/Mistral-7B-v0.1",
        licence="Apache 2.0",
        size_bytes=14_483_464_192,
        gated=True,
        note="sliding window of 4,096",
    ),
}


def find_weights(name: str) -> Weights:
    """The catalogue's entry of a name, or any repository given as "owner/name".

    Raises:
        DownloadError: neither; the message holds the nearest names.

    >>> find_weights("open-llama-7b").repository
    'openlm-research/open_llama_7b'
    """
    by_repository = {weights.repository.lower(): weights for weights in CATALOGUE.values()}
    found = CATALOGUE.get(name.lower()) or by_repository.get(name.lower())
    if found:
        return found
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name):
        return Weights(repository=name, licence="see its page", size_bytes=0)
    near = difflib.get_close_matches(name.lower(), CATALOGUE, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "`minillama download` lists the names."
    raise DownloadError(f"no weights are called {name!r}: {hint} A repository of the Hub is given as owner/name")


def select_files(names: Sequence[str], wanted: Sequence[str] = ()) -> list[str]:
    """The files of a repository that a model needs: weights once, configuration, tokenizer, licence.

    Args:
        names: every file of the repository.
        wanted: files asked for by name, with which only the licence comes; any part of a split GGUF file brings all
            of them. Empty chooses.

    Raises:
        DownloadError: a wanted file is not there, nothing looks like weights, or there are several models.

    >>> select_files(["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.model"])
    ['config.json', 'tokenizer.model', 'model.safetensors']
    """
    licences = [name for name in names if name in _LICENCE_FILES]
    if wanted:
        return list(dict.fromkeys(licences + _named_files(names, wanted)))
    texts = [name for name in names if name in _TEXT_FILES]
    for pattern in _WEIGHTS:
        found = sorted(name for name in names if pattern.fullmatch(name))
        if all(name.endswith(".json") for name in found):
            continue
        if found[0].endswith(".gguf") and len({_SPLIT.sub(r"\1-of-\2", name) for name in found}) > 1:
            raise DownloadError(f"{len(found)} GGUF files, expected one: choose with --file from {_some(found)}")
        return licences + texts + found
    raise DownloadError(f"no .safetensors, .bin, .pth or .gguf weights among {len(names)} files: {_some(names)}")


def _named_files(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    chosen: dict[str, None] = {}
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or list(names)
            raise DownloadError(f"the repository has no file {name!r}; it has {_some(near)}")
        split = _SPLIT.fullmatch(name)
        parts = [n for n in names if (m := _SPLIT.fullmatch(n)) and split and m.groups() == split.groups()]
        chosen |= dict.fromkeys(parts or [name])
    return list(chosen)


def _some(names: Sequence[str], count: int = 6) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
