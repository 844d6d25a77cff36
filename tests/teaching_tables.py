"""The tables of exercises/TEACHING.md, computed from the records and the lessons.

python tests/teaching_tables.py          # prints them
python tests/teaching_tables.py --write  # puts them into the guide
"""

import re
import sys
from pathlib import Path

import nbformat

from minillama.course.tasks import LESSONS, tasks_of

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "exercises" / "TEACHING.md"
CLOSED_BOOK = ("vary", "diagnose", "test")
FAILURES = {  # lesson -> the slips to be ready for: task, misconception
    "00_start_here": [("start.reshape_heads", "view"), ("start.mean_of_kept", "broadcast"),
                      ("start.test_double", "result_only")],
    "01_tokenizer": [("tokenizer.train_bpe", "words_once"), ("tokenizer.encode_bpe", "no_prefix"),
                     ("tokenizer.merge", "taken_again")],
    "02_language_model": [("language_model.cross_entropy", "over_positions"), ("language_model.shift_targets", "twice"),
                          ("language_model.perplexity", "mean_of_means")],
    "03_norm": [("norm.rms_norm", "eps_outside"), ("norm.rms_norm", "over_sequence"),
                ("norm.name_the_bug", "blind_to_mean")],
    "04_rope": [("rope.apply_rope", "halves"), ("rope.apply_rope", "head_axis"),
                ("rope.rope_frequencies", "half_exponent")],
    "05_feedforward": [("feedforward.SwiGLU", "swapped"), ("feedforward.hidden_size", "rounds_down"),
                       ("feedforward.gated_residual", "stream_scaled")],
    "06_attention": [("attention.attend", "no_scale"), ("attention.split_heads", "viewed"),
                     ("attention.causal_mask", "from_zero")],
    "07_model": [("model.Block", "post_norm"), ("model.Llama", "shared"), ("model.count_parameters", "own_keys")],
    "08_generate": [("sampling.keep_top_p", "crosser_lost"), ("cache.KVCache", "restarts"),
                    ("cache.attend_step", "twice")],
    "09_pretrain": [("train.train_step", "no_zero_grad"), ("train.decay_groups", "norms"),
                    ("train.pack", "own_windows")],
    "10_checkpoint": [("checkpoint.merge_shards", "wo_rows"), ("checkpoint.read_safetensors_header", "from_file_start"),
                      ("checkpoint.fits_in_memory", "all_heads")],
    "11_quantization": [("quant.quantize_q4_0", "sign_lost"), ("quant.dequantize_q4_0", "neighbours"),
                        ("quant.quantize_q8_0", "per_row")],
    "12_kernels": [("kernels.matvec_q8", "int16_sum"), ("kernels.repair_race", "overlap"),
                   ("kernels.matvec_q4", "no_offset")],
    "13_run_7b": [("evaluate.predict_tokens_per_second", "embedding"), ("run_7b.longest_context", "all_heads"),
                  ("evaluate.perplexity", "no_bos")],
    "14_lora": [("lora.LoRALinear", "both_zero"), ("lora.merge", "twice"), ("lora.trainable_parameters", "by_name")],
    "15_alpaca": [("alpaca.mask_labels", "late"), ("alpaca.repair_labels", "eos_masked"),
                  ("alpaca.build_sample", "together")],
    "19_scaling": [("scaling.local_loss", "mean_of_means"), ("scaling.split_columns", "across_heads"),
                   ("scaling.split_loss", "own_top")],
}  # fmt: skip


def reading_minutes(stem: str) -> int:
    """What the lesson itself says that reading it takes."""
    first = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells[0].source
    found = re.search(r"about (\d+) minutes", first)
    assert found is not None, f"{stem} does not say how many minutes it takes"
    return int(found[1])


def times() -> str:
    """Minutes of each lesson and of each of its tasks; bold are those that points should rest on."""
    lines = ["| lesson | reading | exercises | points | tasks, with their minutes |", "|---|---:|---:|---:|---|"]
    for stem in LESSONS:
        tasks = tasks_of(stem)
        names = [f"{task.name} {task.minutes}" for task in tasks]
        marked = [f"**{name}**" if task.kind in CLOSED_BOOK else name for task, name in zip(tasks, names, strict=True)]
        lines.append(
            f"| {stem.replace('_', ' ', 1)} | {reading_minutes(stem)} | {sum(task.minutes for task in tasks)} | "
            f"{sum(task.points for task in tasks)} | {' · '.join(marked)} |"
        )
    return "\n".join(lines)


def failures() -> str:
    """What goes wrong in each lesson, and the question that helps."""
    lines = ["| lesson | it looks like | and you ask |", "|---|---|---|"]
    for stem in LESSONS:
        records = {task.id: task for task in tasks_of(stem)}
        for task, name in FAILURES.get(stem, []):
            (idea,) = [each for each in records[task].misconceptions if each.name == name]
            lines.append(f"| {stem[:2]} {records[task].name} | {idea.looks_like} | {idea.question} |")
    return "\n".join(lines)


TABLES = {"times": times, "failures": failures}


def with_tables(text: str) -> str:
    """The guide with every table as it is computed."""
    for name, table in TABLES.items():
        marks = rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)"
        assert re.search(marks, text, re.DOTALL), f"the guide has no place for the table {name}"
        text = re.sub(marks, lambda found, table=table: f"{found[1]}{table()}\n{found[2]}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    if "--write" in sys.argv:
        GUIDE.write_text(with_tables(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n\n".join(table() for table in TABLES.values()))
