"""Which answers are alike: prints of each answer's code, and who shares them with whom.

normal    one source -> its prints; also a program of its own, for sources that nobody trusts
prints    the answers of one submission -> what of them is the learner's own, what is public
compare   a class -> pairs of classmates, and answers that match what is public
"""
