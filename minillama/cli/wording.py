"""The library's errors in the words of the command line: options instead of Python's arguments."""

import re

OPTIONS = {
    "temperature": "--temperature", "top_k": "--top-k", "top_p": "--top-p", "min_p": "--min-p",
    "repetition_penalty": "--repetition-penalty", "max_new_tokens": "--max-new-tokens", "seed": "--seed",
    "quant": "--quant", "device": "--device", "dtype": "--dtype", "tokenizer": "--tokenizer", "context": "--context",
    "to": "--to", "format": "--type", "shards": "--shards", "overwrite": "--overwrite", "seq_len": "--seq-len",
    "peak_lr": "--lr", "dropout": "--dropout", "alpha": "--alpha", "template": "--template",
}  # fmt: skip
NAMES = "|".join(OPTIONS)
GIVEN = re.compile(rf"(?:^|(?<= ))({NAMES})=(?:(['\"])([\w.-]+)\2|True)?")  # not inside a path
REFUSED = re.compile(rf"({NAMES}) is (.*)", re.DOTALL)
QUOTED = re.compile(r"(?<= )'([\w.-]+)'")


def in_options(text: str) -> str:
    """Put options in place of arguments.

    >>> in_options("device is 'tpu', expected 'cpu' or 'cuda': use device='cpu'")
    '--device is tpu, expected cpu or cuda: use --device cpu'
    """
    text = GIVEN.sub(lambda found: f"{OPTIONS[found[1]]} {found[3] or ''}".rstrip(), text)
    refused = REFUSED.fullmatch(text)
    if refused is None:
        return text
    rest = QUOTED.sub(r"\1", " " + refused[2]).replace(" expected None,", " expected")
    return f"{OPTIONS[refused[1]]} is{rest}"
