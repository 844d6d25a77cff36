"""The diagnostic of lesson 00: eight questions about PyTorch, each with the section that helps."""

from minillama.course.quizzes import Choice, Quiz

QUIZZES = (
    Quiz(
        "start.view",
        "x = torch.arange(6). What is x.view(3, 2)[1]?",
        (
            Choice("[1, 4]", False, "That is row 1 if the numbers ran down the columns. Primer: Views."),
            Choice("[2, 3]", True, "Cut after every second number; row 1 is the second piece."),
            Choice("[3, 4]", False, "With rows of 3, a row would begin at 3. Here rows have 2. Primer: Views."),
        ),
    ),
    Quiz(
        "start.shared",
        "y = x.view(3, 2), then y[0, 0] = 100. What is x[0]?",
        (
            Choice("100", True, "A view has no numbers of its own: both names look at one row of memory."),
            Choice("What it was before", False, "Only a `clone` has numbers of its own. Primer: Views."),
            Choice("It raises an error", False, "It is legal, and silent; that is the trouble. Primer: Views."),
        ),
    ),
    Quiz(
        "start.transpose",
        "x is (2, 3). Which of these always give the same numbers in the same places?",
        (
            Choice("x.view(3, 2) and x.T", False, "The shapes agree, and nothing else. Primer: Transposing."),
            Choice("x.view(3, 2) and x.T.contiguous()", False, "A copy of x.T is still x.T. Primer: Transposing."),
            Choice("x.T and x.T.contiguous()", True, "Same numbers, same places; only their order in memory differs."),
        ),
    ),
    Quiz(
        "start.stretch",
        "a is (4, 1) and b is (3,). What is a + b?",
        (
            Choice("An error", False, "A 1 is stretched, and a missing axis is a 1. Primer: Broadcasting."),
            Choice("(4, 3)", True, "3 lies under the 1, and is not asked; the 4 stands alone. Both are stretched."),
            Choice("(4, 1)", False, "The 1 is stretched to 3. Primer: Broadcasting."),
        ),
    ),
    Quiz(
        "start.silent",
        "losses is (1, 5) and marks is (1, 5, 1). What is losses * marks?",
        (
            Choice("(1, 5), each loss times its mark", False, "It would be what you want. Primer: Broadcasting."),
            Choice("An error", False, "If only! Every axis fits, one way or the other. Primer: Broadcasting."),
            Choice("(1, 5, 5), each loss times every mark", True, "Flush right, 5 lies over 1. And no complaint."),
        ),
    ),
    Quiz(
        "start.einsum",
        'q is (T, K) and k is (S, K). What is torch.einsum("tk,sk->ts", q, k)?',
        (
            Choice("q @ k.T, of shape (T, S)", True, "k is missing on the right, so it is multiplied and summed away."),
            Choice("q * k, of shape (T, S)", False, "T need not be S: no elementwise product. Primer: einsum."),
            Choice("q @ k, of shape (T, S)", False, "The inner axes would be K and S. Primer: einsum."),
        ),
    ),
    Quiz(
        "start.gradient",
        "Twice you compute the same loss and call loss.backward(), and clear nothing. What is in w.grad?",
        (
            Choice("The gradient", False, "The second one was added to the first. Primer: Gradients."),
            Choice("Twice the gradient", True, "`backward` adds. That is what `zero_grad` in a training loop is for."),
            Choice("The gradient of the gradient", False, "`backward` only ever adds to `grad`. Primer: Gradients."),
        ),
    ),
    Quiz(
        "start.dtype",
        "What is torch.tensor(300.0).half() squared?",
        (
            Choice("90,000", False, "float16 ends at 65,504. Primer: Number types."),
            Choice("65,504", False, "It does not stop at its largest number. Primer: Number types."),
            Choice("inf", True, "Beyond 65,504 float16 has only infinity. Lesson 03 lives off this."),
        ),
    ),
)  # fmt: skip
