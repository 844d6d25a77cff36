"""The pages of a report, for people: what each learner is told, and what a class looks like.

    words      strings of strangers made harmless, and the words for states, points and shares
    rendering  Jinja templates with everything in them: no script, nothing from elsewhere, and a policy that says so
    feedback   one page a learner
    lessons    what a class did in one lesson: shares, tasks, misconceptions
    class_page the teacher's page, with the similarity report, and one about time
    writing    all of them, to their files

Equal results, equal bytes; only times.html depends on how long a run took.
"""
