"""Lesson 15's task by hand: one sample's labels, a batch's padding and loss, and the steps of Alpaca's training."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand

LESSON = "15_alpaca"
RIGHT: dict[str, Any] = {"length": 12, "counted": 5, "first": 7, "asked": 6, "padding": 8, "loss": 2.75, "steps": 1218}
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "one_mark": {"length": 11},
    "no_marks": {"length": 10},
    "prompt_counted": {"counted": 12},
    "eos_uncounted": {"counted": 4},
    "from_one": {"first": 8},
    "bos_forgotten": {"first": 6},
    "unshifted": {"asked": 7},
    "ahead": {"asked": 8},
    "padding_for_all": {"padding": 20},
    "mean_of_means": {"loss": 3.0},
    "by_all_tokens": {"loss": 22 / 40},
    "by_row": {"loss": 11.0},
    "one_epoch": {"steps": 406},
    "rounded_up": {"steps": 1221},
    "records": {"steps": 156_006},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


sample_by_hand = Task(
    id="alpaca.sample_by_hand", lesson=LESSON, kind="trace", title="Work out one sample by hand", points=2,
    difficulty=2, importance=4, minutes=10,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=2e-4, atol=1e-6,
    misconceptions=(
        idea("one_mark", "a sample that lacks one of its two marks",
             "A prompt begins with BOS, in training as in use. EOS ends the answer: the model has to learn to say it.",
             "Which token stands before the first word, and which one behind the last?"),
        idea("no_marks", "a sample without its marks",
             "Two tokens are no words: one that says where the text begins, and one that says where the answer ends.",
             "What should the model say after the last word of its answer?"),
        idea("prompt_counted", "a loss on the prompt, too",
             "Only what the model is to say counts. The prompt is said by somebody else.",
             "Which of the twelve will the model never have to say?"),
        idea("eos_uncounted", "an EOS that does not count",
             "A model is taught to stop by nothing but the loss on EOS.",
             "Who tells the model that stopping is right?"),
        idea("from_one", "places counted from 1", "Places are counted from 0: the first token stands at 0.",
             "At which place does BOS stand in yours?", 0.7),
        idea("bos_forgotten", "a prompt counted without its BOS", "BOS is the first of the prompt's tokens.",
             "How many tokens stand before the answer?"),
        idea("unshifted", "a token foretold by itself",
             "The logits of a place are about the next token, so a label is asked for one place before it.",
             "What has the model read when it gives these logits: the token already, or not yet?"),
        idea("ahead", "a shift the other way", "The model is to foretell the token, not to look back at it.",
             "Which place has read everything before the token, and nothing more?"),
        idea("padding_for_all", "the length of the longest row", "Padding fills what is missing, and no more.",
             "How many tokens has the row already?"),
        idea("mean_of_means", "a mean of the rows' means", "Every counted token counts alike, in whichever row.",
             "How many nats are there in all, over how many counted tokens?"),
        idea("by_all_tokens", "a division by all places of the batch",
             "Prompt and padding are not in the sum, so they are not in the number that divides it.",
             "How many losses are in your sum?"),
        idea("by_row", "a division by the rows", "The loss is told for one token.", "How many tokens share the nats?"),
        idea("one_epoch", "one epoch", "The data are read three times.", "How often is each record seen?"),
        idea("rounded_up", "a last batch that is not full",
             "What does not fill a batch waits for another epoch.", "How many full batches do the records fill?"),
        idea("records", "a count of records", "One step takes a whole batch.", "How many records does a step read?"),
    ),
    hints=(
        "Write the twelve tokens of the first sample in a row, numbered from 0, and below each its label.",
        "All but `loss` are whole numbers. `asked` is a place, as `first` is.",
        "length: BOS + prompt + answer + EOS\ncounted: answer + EOS\nfirst: how many tokens stand before it\n"
        "asked: one place earlier\npadding: longest - length\nloss: all nats / all counted tokens\n"
        "steps: full batches an epoch x epochs",
    ),
)  # fmt: skip
