"""Grading by nbval: from a folder of submissions to points, with nothing of a submission trusted.

    assigning    what learners are given, in each one's variants; handing_out packs it, packs checks a teacher's own
    intake       submissions (folders, archives, downloads of an LMS) -> Submission
    reading      one file -> the learner's answer cells, by cell id
    rebuilding   the pristine notebook with these cells, and a cell after each that shows what the answer gives
    environment  the graded machine's minillama: without the pieces under test, without records and solutions
    sandbox      where the kernel runs: bubblewrap, or limits alone; watching ends what breaks a limit
    calling      what an answer's source says that it calls: what its own process could hide
    plugin       nbval runs the rebuilt notebook; what the kernel shows is judged here, against the reference
    engine       one submission -> LearnerResult, in a process of its own
    grading      all submissions -> a report; resumes, shards
    class_file   course.toml: roster, assignments, dates, groups; resolving finds whose a submission is
    marking      results -> what counts: lateness, attempts, groups; adjusting, what a person says
    reporting    gradebook.csv, results.json, audit.jsonl; merging, and repeating for one learner or task
    filling      totals into an export of Canvas or Moodle
    similarity   which answers are alike
    pages        what learners and teachers read; gradescope is the same in Gradescope's form

What passes between them stands in records.py. Nothing of the learner's runs outside the sandbox: its kernel hands out
values as JSON, and those are compared with the reference's, computed apart, by course/judging.py.
"""
