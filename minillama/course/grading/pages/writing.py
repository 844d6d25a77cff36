"""All pages of a report, to their files."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from minillama.course.grading.gradescope import gradescope_json
from minillama.course.grading.pages.class_page import class_page, times_page
from minillama.course.grading.pages.feedback import feedback_page, page_name
from minillama.course.grading.records import LIMITS_ONLY, LearnerResult, Run
from minillama.course.grading.similarity.compare import matches_of, similarity_csv
from minillama.course.grading.tables import csv_text
from minillama.files import new_file

FEEDBACK, GRADESCOPE = "feedback", "gradescope"
CLASS, TIME, SIMILARITY, INDEX = "class.html", "times.html", "similarity.csv", "feedback.csv"
OURS = re.compile(r"(?:[a-z0-9-]+-)?[0-9a-f]{10}\.(?:html|json)")


def write_pages(
    folder: Path,
    run: Run,
    results: Sequence[LearnerResult],
    counted: Sequence[LearnerResult],
    seconds: Mapping[tuple[str, int], float],
) -> None:
    """Write feedback/ and gradescope/ with a file a learner, class.html, times.html, similarity.csv and feedback.csv.

    Args:
        folder: of the report.
        run: what the results have in common.
        results: all of them.
        counted: of each learner and lesson the one that counts.
        seconds: (learner, attempt) -> how long it took.
    """
    by_learner: dict[str, list[LearnerResult]] = defaultdict(list)
    for each in sorted(counted, key=lambda one: (one.learner, one.lesson)):
        by_learner[each.learner].append(each)
    others: dict[str, list[LearnerResult]] = defaultdict(list)
    for each in sorted(results, key=lambda one: (one.learner, one.attempt)):
        if each not in by_learner[each.learner]:
            others[each.learner].append(each)
    limited = run.sandbox == LIMITS_ONLY
    matches = matches_of(counted)
    names = {learner: page_name(run.seed, learner) for learner in by_learner}
    pages = {learner: f"{FEEDBACK}/{name}.html" for learner, name in names.items()}
    for inside in (FEEDBACK, GRADESCOPE):
        (folder / inside).mkdir(exist_ok=True)
    rows = [(learner, pages[learner], f"{GRADESCOPE}/{name}.json") for learner, name in names.items()]
    written = {
        CLASS: class_page(run, counted, results, matches, pages),
        TIME: times_page(run, results, seconds),
        SIMILARITY: similarity_csv(matches).encode("utf-8", "replace"),
        INDEX: csv_text([("learner", "feedback", "gradescope"), *rows]).encode("utf-8", "replace"),
    }
    for learner, own in by_learner.items():
        written[pages[learner]] = feedback_page(own, others[learner], limited)
        written[f"{GRADESCOPE}/{names[learner]}.json"] = gradescope_json(own, seconds, limited)
    for name, data in written.items():
        with new_file(folder / name) as file:
            file.write(data)
    for inside in (FEEDBACK, GRADESCOPE):
        for old in (folder / inside).iterdir():
            if OURS.fullmatch(old.name) and f"{inside}/{old.name}" not in written:
                old.unlink()  # of a learner whom an earlier report into this folder had
