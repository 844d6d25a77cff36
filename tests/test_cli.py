"""The command line: what goes to which stream, exit codes, and one line for every error that a user can cause."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from minillama.cli import app
from minillama.cli.app import one_line
from minillama.cli.arguments import decode, optional_model
from minillama.cli.speed import Stopwatch
from minillama.cli.wording import in_options
from minillama.config import PRESETS

ROOT = Path(__file__).parents[1]
STORIES = "stories260K.bin"


def run(*arguments: object, stdin: bytes | str | None = None) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def shell(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run one command as a process of its own."""
    command = [sys.executable, "-m", "minillama", *map(os.fsencode, map(str, arguments))]
    return subprocess.run(command, capture_output=True, cwd=ROOT, timeout=120, **options)  # type: ignore[call-overload]


def check_error(result: Result, expected: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert re.match(rf"error: .*{expected}", lines[0]), lines[0]


@pytest.fixture
def stories(shared_data: Path) -> list[object]:
    """Arguments that name the small real model."""
    return [shared_data / STORIES, "--tokenizer", shared_data / "tok512.bin"]


def test_stories260k_is_exact_to_the_byte(stories: list[object], shared_data: Path) -> None:
    done = shell("generate", *stories, "--prompt", "", "--temperature", 0, "--max-new-tokens", 256)
    assert done.stdout == (shared_data / "stories260K_greedy.txt").read_bytes()
    assert done.returncode == 0
    assert b"tokens/s" in done.stderr


def test_prompt_comes_first_and_streams_agree(stories: list[object]) -> None:
    options = ["--max-new-tokens", 20, "--temperature", 0.9, "--seed", 7]
    one = run("generate", *stories, "--prompt", "Once upon", *options)
    assert one.exit_code == 0
    assert one.stdout.startswith("Once upon")
    assert one.stdout.endswith("\n")
    assert one.stdout == run("generate", *stories, "--prompt", "Once upon", *options).stdout
    assert one.stdout == run("generate", *stories, "--prompt", "-", *options, stdin="Once upon\n").stdout
    assert run("generate", *stories, "--prompt", "Once upon", *options, "--quiet").stderr == ""


def test_prompt_from_a_file(stories: list[object], tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"\xef\xbb\xbfLily and\r\n")
    result = run("generate", *stories, "--prompt-file", file, "--max-new-tokens", 3)
    assert result.stdout.startswith("Lily and")
    check_error(run("generate", *stories, "--prompt-file", file, "--prompt", "x"), "expected one of them")


def test_stop_strings_end_the_text(stories: list[object]) -> None:
    base = ["generate", *stories, "--prompt", "Once upon a time", "--max-new-tokens", 60]
    whole, cut = run(*base).stdout, run(*base, "--stop", "Lily", "--stop", "zzz").stdout
    assert "Lily" in whole
    assert cut == whole[: whole.index("Lily")] + "\n"


def test_zero_tokens_print_the_prompt(stories: list[object]) -> None:
    assert run("generate", *stories, "--prompt", "Hé 😀", "--max-new-tokens", 0).stdout == "Hé 😀\n"


BAD_OPTIONS = {
    ("--temperature", "-1"): "--temperature is -1.0, expected",
    ("--temperature", "nan"): "--temperature is nan",
    ("--temperature", "warm"): "--temperature",
    ("--top-k", "0"): "--top-k is 0",
    ("--top-p", "1.5"): "--top-p is 1.5",
    ("--min-p", "2"): "--min-p is 2",
    ("--repetition-penalty", "0"): "--repetition-penalty is 0",
    ("--max-new-tokens", "-3"): "--max-new-tokens",
    ("--threads", "0"): "--threads",
    ("--quant", "q9_9"): "--quant is q9_9, expected none, q8_0 or q4_0",
    ("--dtype", "float8"): "--dtype is float8, expected float32, bfloat16 or float16",
    ("--device", "tpu"): "--device is tpu, expected cpu, cuda or mps",
    ("--stop", ""): "stop string is empty",
    ("--nonsense", "1"): "--nonsense",
    ("--prompt", "word " * 600): "512",
}


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=lambda pair: f"{pair[0]} {pair[1][:8]}")
def test_bad_options_are_one_line(stories: list[object], options: tuple[str, str]) -> None:
    check_error(run("generate", *stories, *options), BAD_OPTIONS[options])


def _bad_models(folder: Path) -> dict[str, tuple[Path, str]]:
    (folder / "empty").mkdir()
    (folder / "configuration").mkdir()
    (folder / "configuration" / "config.json").write_text("{}")
    (folder / "magic.gguf").write_bytes(b"GGML" + bytes(1000))
    (folder / "cut.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little"))
    (folder / "cut.bin").write_bytes(np.array([64, 172, 5, 8, 4, 512, 512], np.int32).tobytes() + bytes(100))
    (folder / "text.txt").write_text("not a model")
    return {
        "missing": (folder / "missing.gguf", "missing.gguf"),
        "empty folder": (folder / "empty", "empty"),
        "no weights": (folder / "configuration", "configuration"),
        "wrong magic": (folder / "magic.gguf", "magic.gguf"),
        "cut-off GGUF": (folder / "cut.gguf", "cut.gguf"),
        "cut-off llama2.c": (folder / "cut.bin", "cut.bin"),
        "other file": (folder / "text.txt", "text.txt"),
    }


@pytest.mark.parametrize("command", ["generate", "info", "bench", "convert"])
def test_bad_models_are_one_line(tmp_path: Path, command: str) -> None:
    out = [tmp_path / "out", "--to", "gguf"] if command == "convert" else []
    for model, expected in _bad_models(tmp_path).values():
        check_error(run(command, model, *out), expected)
    assert not (tmp_path / "out").exists()


def test_text_that_is_not_utf8_is_one_line(stories: list[object], tmp_path: Path) -> None:
    file = tmp_path / "latin1.txt"
    file.write_bytes("naïve".encode("latin-1"))
    check_error(run("generate", *stories, "--prompt-file", file), "latin1.txt is not UTF-8: byte 0xef at position 2")
    check_error(run("generate", *stories, "--prompt", "-", stdin=b"\xff"), "standard input is not UTF-8")
    check_error(run("generate", *stories, "--prompt", "a\udcff"), "--prompt is not UTF-8: byte 0xff at position 1")
    check_error(run("tokenize", stories[2], "\udcff"), "TEXT is not UTF-8")
    check_error(run("generate", *stories, "--prompt-file", tmp_path), "Is a directory")
    check_error(run("generate", *stories, "--prompt-file", tmp_path / "none"), "No such file")


def test_streams_and_exit_codes_of_a_process(tmp_path: Path) -> None:
    done = shell("generate", tmp_path / "none.gguf", "--debug")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(b"error: ")
    assert shell("--debug", "info", "nothing").stderr.count(b"Traceback") == 1
    assert shell("nonsense").returncode == 2
    assert shell("generate", "--prompt", "a\udcff").stderr.count(b"\n") == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from minillama.cli import app\n"
        "try: app(['generate', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numba', 'numpy', 'huggingface_hub', 'sentencepiece'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"--repetition-penalty" in done.stdout


def test_no_command_shows_the_help() -> None:
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == run("--help").stdout
    assert "generate" in done.stdout
    assert run("--version").stdout.strip() == __import__("minillama").__version__


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_ends_with_130_and_no_traceback(stories: list[object]) -> None:
    command = [sys.executable, "-m", "minillama", "generate", *map(str, stories), "--prompt", "-"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stderr
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)  # it has started and waits for the prompt
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_closed_pipe_is_quiet(stories: list[object]) -> None:
    command = [sys.executable, "-m", "minillama", "generate", *map(str, stories), "--max-new-tokens", "200"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


PARAMETERS = {
    "llama-7b": 6_738_415_616, "llama-13b": 13_015_864_320, "llama-33b": 32_528_943_616, "llama-65b": 65_285_660_672,
    "llama2-70b": 68_976_648_192, "llama3-8b": 8_030_261_248,
}  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_info_of_a_preset(preset: str) -> None:
    result = run("info", preset)
    assert result.exit_code == 0
    assert preset in result.stdout
    if preset in PARAMETERS:
        assert f"{PARAMETERS[preset]:,}" in result.stdout
    assert all(max(map(len, result.stdout.splitlines())) < 160 and char not in result.stdout for char in "\x1b…")


def test_info_reads_headers_only(stories: list[object], tmp_path: Path) -> None:
    result = run("info", *stories)
    assert "llama2.c" in result.stdout
    assert "260,032" in result.stdout
    assert result.stderr == ""


def test_info_of_a_folder_without_weights(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6, "hidden_act": "silu",
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    result = run("info", tmp_path)
    assert "6,738,415,616" in result.stdout
    assert "llama-7b" in result.stdout
    assert "no weights" in result.stderr
    (tmp_path / "config.json").unlink()
    params = {"dim": 8192, "multiple_of": 4096, "ffn_dim_multiplier": 1.3, "n_heads": 64, "n_kv_heads": 8}
    params |= {"n_layers": 80, "norm_eps": 1e-5, "vocab_size": 32000}
    (tmp_path / "params.json").write_text(json.dumps(params))
    assert "68,976,648,192" in run("info", tmp_path).stdout


def test_tokenize(shared_data: Path) -> None:
    model = shared_data / "llama_tokenizer.model"
    result = run("tokenize", model, "Hello world")
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        ["0", "1", "<s>"], ["1", "15043", "▁Hello"], ["2", "3186", "▁world"],
    ]  # fmt: skip
    as_json = run("tokenize", model, "-", "--json", "--no-bos", stdin=" Hello world")
    assert json.loads(as_json.stdout) == {"ids": [29871, 15043, 3186], "pieces": ["▁", "▁Hello", "▁world"]}
    check_error(run("tokenize", model), "expected .MODEL. TEXT")
    check_error(run("tokenize", model, "a", "b"), "quote text that has spaces")
    brackets = run("tokenize", model, "[bold]x[/bold]", "--json")
    assert "".join(json.loads(brackets.stdout)["pieces"]).endswith("[bold]x[/bold]")


def test_convert_and_quantize_give_models_that_generate(stories: list[object], tmp_path: Path) -> None:
    text = run("generate", *stories, "--prompt", "Tom", "--max-new-tokens", 20).stdout
    for to, out in {"hf": tmp_path / "hf", "meta": tmp_path / "meta", "gguf": tmp_path / "new.gguf"}.items():
        extra = ["--type", "f32"] if to == "gguf" else []
        done = run("convert", stories[0], out, "--to", to, *stories[1:], *extra)
        assert done.exit_code == 0, done.output
        assert run("generate", out, "--prompt", "Tom", "--max-new-tokens", 20).stdout == text
    small = tmp_path / "small.gguf"
    done = run("quantize", stories[0], small, "--type", "q8_0", *stories[1:])
    assert done.exit_code == 0, done.output
    assert small.stat().st_size < (tmp_path / "new.gguf").stat().st_size
    assert run("generate", small, "--prompt", "Tom", "--max-new-tokens", 20).exit_code == 0
    done = run("quantize", stories[0], small, "--type", "q4_k_m", "--overwrite", *stories[1:])
    assert done.exit_code == 0, done.output
    check_error(run("quantize", stories[0], small, "--type", "q2_k"), "expected one of q4_0, q4_k, q4_k_m")
    check_error(run("convert", stories[0], tmp_path / "x", "--to", "onnx", *stories[1:]), "--to is onnx")


def test_bench_prints_the_keys(stories: list[object]) -> None:
    base = ["bench", *stories, "--prompt-tokens", 8, "--new-tokens", 4, "--repetitions", 1]
    speed = json.loads(run(*base, "--json", "--depth", 5).stdout)
    keys = {"load_seconds", "prefill_tokens_per_second", "decode_tokens_per_second", "peak_memory_bytes"}
    assert set(speed) == keys
    assert all(value > 0 for value in speed.values())
    assert "tokens/s" in run(*base).stdout
    check_error(run(*base, "--depth", 600), "512 places")
    check_error(run(*base, "--cache-type", "q8_0"), "--cache-type is q8_0, but float weights")


def test_cache_type_is_the_engines() -> None:
    base = ["generate", "--prompt", "Once", "--max-new-tokens", 8, "--quant", "q8_0"]
    assert run(*base, "--cache-type", "q8_0").exit_code == 0
    check_error(run(*base, "--cache-type", "q4_0"), "cache type is 'q4_0', expected f16 or q8_0")
    assert run("info", "llama-7b", "--cache-type", "q8_0").stdout != run("info", "llama-7b").stdout
    check_error(run("info", "llama-7b", "--cache-type", "x"), "expected f16 or q8_0")


def test_download_lists_the_catalogue() -> None:
    result = run("download")
    assert "open-llama-7b" in result.stdout
    assert "Llama 2 Community" in result.stdout
    check_error(run("download", "open-lama-7b"), "did you mean open-llama-7b")
    check_error(run("generate", "open-llama-7b"), "run `minillama download open-llama-7b` first")


def test_pretrain_makes_a_model_that_generates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minillama.train import pretrain

    monkeypatch.setattr(pretrain, "VALIDATION_TOKENS", 3000)
    monkeypatch.setattr(pretrain, "VOCABULARY_STORIES", 300)
    base = ["pretrain", "--out", tmp_path / "run", "--steps", 2, "--batch-size", 2, "--seq-len", 32, "--threads", 1]
    result = run(*base)
    assert result.exit_code == 0, result.output
    model = Path(result.stdout.strip())
    assert "step 2 of 2: loss" in result.stderr
    assert run("generate", model, "--prompt", "Once", "--max-new-tokens", 2).exit_code == 0
    check_error(run(*base, "--no-resume"), "holds a run")
    check_error(run(*base, "--lr", "1e-4"), "other settings")
    check_error(run(*base[:3], "--preset", "llama-6b"), "llama-7b")
    check_error(run("pretrain", "--out", tmp_path / "long", "--seq-len", 999_999), "--seq-len is 999999, expected at")
    assert not (tmp_path / "long").exists()


def test_pretrain_stops_goes_on_and_keeps_snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minillama.train import pretrain

    monkeypatch.setattr(pretrain, "VALIDATION_TOKENS", 3000)
    monkeypatch.setattr(pretrain, "VOCABULARY_STORIES", 300)
    options = ["--preset", "tiny-1m", "--steps", 3, "--batch-size", 2, "--seq-len", 32, "--threads", 1]
    whole = run("pretrain", "--out", tmp_path / "whole", *options, "--snapshots", "1,3")
    parts = [run("pretrain", "--out", tmp_path / "parts", *options, *more) for more in (("--stop-after", 2), ())]
    assert [result.exit_code for result in (whole, *parts)] == [0, 0, 0], whole.output
    assert (tmp_path / "whole/model.gguf").read_bytes() == (tmp_path / "parts/model.gguf").read_bytes()
    kept = sorted(path.name for path in (tmp_path / "whole").glob("snapshot-*.gguf"))
    assert kept == ["snapshot-000001.gguf", "snapshot-000003.gguf"]
    assert run("generate", tmp_path / "whole" / kept[0], "--prompt", "Once", "--max-new-tokens", 2).exit_code == 0
    check_error(run("pretrain", "--out", tmp_path / "other", "--snapshots", "1;2"), "--snapshots is 1;2")


def test_doctor_names_what_is_there() -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    for name in ("Python", "torch", "free memory", "threads", "OpenMP", "Jupyter kernel"):
        assert f"{name}:" in result.stdout


def test_doctor_finds_an_old_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from minillama.cli import environment

    monkeypatch.setattr(environment.metadata, "requires", lambda name: ["numpy>=99.1", 'gone>=1; extra == "course"'])
    result = run("doctor")
    assert result.exit_code == 1
    assert re.search(r"broken  numpy: .*\n +-> 99\.1 or newer is needed: pip install", result.stdout)
    assert re.search(r"note  gone: missing\n +-> pip install", result.stdout)


def test_lab_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from minillama.cli import environment

    started: list[list[str]] = []
    monkeypatch.setattr(environment.os, "execv", lambda program, command: started.append(command))
    monkeypatch.setattr(environment.subprocess, "call", lambda command: started.append(command) or 0)
    monkeypatch.setenv("CI", "1")
    assert run("lab", "--port", 8123).exit_code == 0
    assert {"--no-browser", "--port=8123"} <= set(started[0])
    monkeypatch.setattr(environment, "FIRST_LESSON", "notebooks/99_none.ipynb")
    check_error(run("lab"), "is not here")
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    check_error(run("lab"), "JupyterLab is not installed: pip install")


def test_one_line_for_what_users_cause() -> None:
    assert one_line(FileNotFoundError(2, "No such file or directory", "x")) == "x: No such file or directory"
    assert one_line(OSError(28, "No space left on device")) == "No space left on device"
    assert "smaller model" in (one_line(MemoryError()) or "")
    assert "smaller model" in (one_line(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")) or "")
    assert one_line(ValueError("a\nb")) is None
    assert one_line(RuntimeError("a fault of the program")) is None


def test_arguments() -> None:
    assert optional_model(["a"], "TEXT") == (None, "a")
    assert decode(b"a\n\n", "x") == "a\n"
    assert decode(b"a\n", "x", drop_newline=False) == "a\n"


def test_stopwatch_tells_the_prompt_from_the_text() -> None:
    watch = Stopwatch(None, [(512, 1.0), (1, 1.0), (1, 0.5), (1, 0.5)])
    assert watch.summary(513) == "prompt: 513 tokens in 2.00 s; text: 2 tokens at 2.0 tokens/s"
    assert watch.summary(600) == "prompt: 515 tokens in 3.00 s"


def bash(command: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which "$@" is this program with some arguments."""
    words = [sys.executable, "-m", "minillama", *map(str, arguments)]
    return subprocess.run(["bash", "-c", command, "bash", *words], capture_output=True, cwd=ROOT, timeout=60)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_closed_standard_streams_are_one_line(stories: list[object], tmp_path: Path) -> None:
    closed = bash('"$@" >&-', "generate", *stories)
    assert (closed.returncode, closed.stderr.count(b"\n")) == (1, 1)
    assert closed.stderr.startswith(b"error: standard output is closed")
    closed = bash('"$@" <&-', "generate", *stories, "--prompt", "-")
    assert (closed.returncode, closed.stderr.count(b"\n")) == (2, 1)
    assert closed.stderr.startswith(b"error: standard input is closed")
    silent = bash('"$@" 2>&-', "generate", *stories, "--prompt", "Tom", "--max-new-tokens", 0)
    assert (silent.returncode, silent.stdout) == (0, b"Tom\n")
    silent = bash('"$@" 2>&-', "generate", tmp_path / "none")
    assert (silent.returncode, silent.stdout) == (2, b"")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_text_without_an_end_is_refused(stories: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    from minillama.cli import arguments

    monkeypatch.setattr(arguments, "MAX_TEXT_BYTES", 1 << 20)
    check_error(run("generate", *stories, "--prompt-file", "/dev/zero"), "/dev/zero holds more than 1 MiB of text")
    check_error(run("perplexity", *stories[:1], "/dev/zero"), "/dev/zero holds more than 1 MiB")
    check_error(run("tokenize", stories[2], "-", stdin=b"a" * (1 << 20) + b"b"), "standard input holds more than 1 MiB")
    assert run("tokenize", stories[2], "-", "--json", stdin=b"a" * 1000).exit_code == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_prompt_from_a_named_pipe(stories: list[object], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    base = ("generate", *stories, "--max-new-tokens", 0, "--prompt-file", pipe)
    assert bash(f'printf Tom >"{pipe}" & "$@"', *base).stdout == b"Tom\n"


def test_tokenize_is_quick_on_long_texts(shared_data: Path) -> None:
    text = b"Hello[/x] " * 40_000
    done = run("tokenize", shared_data / "llama_tokenizer.model", "-", stdin=text)
    lines = done.stdout.splitlines()
    assert lines[:4] == ["position id piece", "0 1 <s>", "1 15043 ▁Hello", "2 29961 ["]
    assert len(lines) > 100_000
    assert lines[-1].split()[:1] == [str(len(lines) - 2)]


def test_errors_speak_of_options(stories: list[object], tmp_path: Path) -> None:
    base = ("convert", *stories, tmp_path / "out")
    check_error(run("generate", stories[0]), "tokenizer.model with --tokenizer$")
    check_error(run(*base, "--to", "hf", "--type", "q9"), "--type is q9, expected f32, f16, bf16")
    check_error(run(*base, "--to", "gguf", "--type", "q9"), "--type is q9")
    check_error(run(*base, "--to", "hf", "--shards", 2), "use --to meta$")
    if not torch.cuda.is_available():
        check_error(run("generate", *stories, "--device", "cuda"), "--device is cuda, but .* use --device cpu$")
    assert in_options("/data/device=x/quant='y': broken") == "/data/device=x/quant='y': broken"
    assert in_options('load it with quant="q4_0", which') == "load it with --quant q4_0, which"


def test_an_empty_model_is_refused(shared_data: Path, tmp_path: Path) -> None:
    for command in (["generate"], ["info"], ["bench"], ["tokenize", "x"], ["quantize", tmp_path / "out.gguf"]):
        check_error(run(command[0], "", *command[1:]), "MODEL is empty")


def test_a_forgotten_out_is_named(stories: list[object]) -> None:
    before = Path(str(stories[0])).stat()
    check_error(run("quantize", stories[0]), "OUT.gguf is missing: got .*stories260K.bin alone")
    check_error(run("quantize", stories[0], "--overwrite"), "OUT.gguf is missing")
    check_error(run("convert", stories[0], "--to", "hf"), "OUT is missing")
    check_error(run("quantize", ""), "OUT.gguf is missing: got an empty name alone")
    assert Path(str(stories[0])).stat() == before


def test_presets_in_any_case() -> None:
    assert run("info", "Llama2-7B").stdout == run("info", "llama2-7b").stdout
    check_error(run("info", "llama-6b"), "llama-6b: no such file .* nor one of .*llama-7b.*mistral-7b")
    assert "llama-13b" not in run("generate", "llama-6b").stderr
