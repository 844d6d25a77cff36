"""What lies beside a learner's code while it is graded. Holds no answers; nothing that it says is believed."""
