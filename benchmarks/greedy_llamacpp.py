"""The greedy text of GGUF files here and in llama.cpp, side by side.

    python benchmarks/greedy_llamacpp.py FILE.gguf ... [--prompt TEXT] [--tokens 200]

Needs llama-cpp-python (`make bench-deps`). Prints for each file whether the texts are equal and, where not, from which
character they differ: two engines round differently, so quantized files may part where two tokens are nearly equal.
"""

import argparse
from pathlib import Path

from llama_cpp import Llama

import minillama


def theirs(path: Path, prompt: str, n_tokens: int) -> str:
    """llama.cpp's completion, from the same ids (BOS and the prompt's)."""
    model = Llama(str(path), n_ctx=0, logits_all=False, verbose=False)
    _, tokenizer = minillama.load(path)
    ids, end = tokenizer.encode(prompt), {model.token_eos(), tokenizer.bos_id}
    said: list[int] = []
    for token in model.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
        if token in end or len(said) == n_tokens:
            break
        said.append(token)
    return tokenizer.decode(ids + said)[len(tokenizer.decode(ids)) :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--tokens", type=int, default=200)
    options = parser.parse_args()
    for path in options.files:
        ours = minillama.generate(*minillama.load(path), options.prompt, max_new_tokens=options.tokens)
        other = theirs(path, options.prompt, options.tokens)
        same = next(
            (i for i, (a, b) in enumerate(zip(ours, other, strict=False)) if a != b), min(len(ours), len(other))
        )
        verdict = (
            "equal"
            if ours == other
            else f"differ from character {same}: {ours[same:][:30]!r} and {other[same:][:30]!r}"
        )
        print(f"{path.name}: {len(ours)} characters, {verdict}")


if __name__ == "__main__":
    main()
