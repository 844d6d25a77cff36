"""Answers to the tasks of lesson 00, in the spellings of several people."""

import numpy as np
import torch

from minillama.course.proving import Book

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, wrong, stray = book.right, book.wrong, book.stray


# start.by_hand

HAND = "start.by_hand"
GOOD = {
    "sum": [4, 3], "silent": [1, 5, 5], "view": [2, 3], "turned": [1, 4], "einsum": [5, 7], "gradient": [6, -2],
    "again": [12, -4], "memory": 2,
}  # fmt: skip
RIGHT[HAND] = [
    lambda question: GOOD[question],
    lambda question: tuple(GOOD[question]) if isinstance(GOOD[question], list) else float(GOOD[question]),
    lambda question: torch.tensor(GOOD[question]),
    lambda question: np.array(GOOD[question], dtype=np.float64),
    lambda question: (torch.ones(5, 3) @ torch.ones(3, 7)).shape if question == "einsum" else GOOD[question],
]
for name, slips in {
    "no_stretch": {"sum": [4, 1], "silent": [1, 5, 1]},
    "paired": {"silent": [1, 5]},
    "by_columns": {"view": [1, 4]},
    "as_view": {"turned": [2, 3]},
    "not_turned": {"turned": [3, 4, 5]},
    "letters_kept": {"einsum": [5, 3, 7]},
    "letters_swapped": {"einsum": [7, 5]},
    "not_derived": {"gradient": [9, 1]},
    "fresh": {"again": [6, -2]},
    "bits": {"memory": 16},
    "float32": {"memory": 4},
}.items():
    WRONG[HAND, name] = [
        lambda question, slips=slips: (GOOD | slips)[question],
        lambda question, slips=slips: torch.tensor((GOOD | slips)[question], dtype=torch.float64),
    ]
STRAY[HAND] = [
    lambda question: (GOOD | {"sum": [7]})[question],
    lambda question: (GOOD | {"view": [3, 4]})[question],
    lambda question: (GOOD | {"memory": 8})[question],
    lambda question: (GOOD | {"memory": "two"})[question],
]


# start.mean_of_kept

MEAN = "start.mean_of_kept"


@right(MEAN)
def squeezed(losses, keep):
    keep = keep.squeeze(-1)
    return (losses * keep).sum() / keep.sum()


@right(MEAN)
def indexed(losses, keep):
    return losses[keep[..., 0] == 1].mean()


@right(MEAN)
def losses_made_longer(losses, keep):
    return (losses[..., None] * keep).sum() / keep.sum()


@right(MEAN)
def in_einsum(losses, keep):
    return torch.einsum("bt,btx->", losses, keep) / keep.sum()


@right(MEAN)
def in_loops(losses, keep):
    found = [
        losses[b, t].item() for b in range(losses.shape[0]) for t in range(losses.shape[1]) if keep[b, t].item() > 0.5
    ]
    return sum(found) / len(found)


@right(MEAN)
def in_numpy(losses, keep):
    return np.average(losses.numpy().ravel(), weights=keep.numpy().ravel())


@wrong(MEAN, "broadcast")
def multiplied_at_once(losses, keep):
    return (losses * keep).sum() / keep.sum()


@wrong(MEAN, "broadcast")
def chosen_at_once(losses, keep):
    return torch.where(keep.bool(), losses, torch.zeros(())).sum() / keep.sum()


@wrong(MEAN, "broadcast")
def nan_elsewhere(losses, keep):
    return losses.masked_fill(keep == 0, 0.0).sum() / torch.count_nonzero(keep)


@wrong(MEAN, "broadcast")
def selected_at_once(losses, keep):
    return torch.masked_select(losses, keep.bool()).mean()


@wrong(MEAN, "broadcast")
def mean_of_all_at_once(losses, keep):
    return torch.mean(losses * keep)


@wrong(MEAN, "ignored")
def all_of_them(losses, keep):
    return losses.mean()


@wrong(MEAN, "ignored")
def all_divided(losses, keep):
    return losses.sum() / keep.numel()


@wrong(MEAN, "all_counted")
def mean_with_zeros(losses, keep):
    return (losses * keep[..., 0]).mean()


@wrong(MEAN, "all_counted")
def divided_by_size(losses, keep):
    return losses[keep.squeeze(2).bool()].sum() / losses.numel()


@wrong(MEAN, "mean_of_means")
def row_by_row(losses, keep):
    return torch.stack([row[marks[:, 0] == 1].mean() for row, marks in zip(losses, keep, strict=True)]).mean()


@wrong(MEAN, "mean_of_means")
def means_averaged(losses, keep):
    keep = keep.flatten(1)
    return torch.mean((losses * keep).sum(1) / keep.sum(1))


@wrong(MEAN, "sum")
def total(losses, keep):
    return (losses * keep.view(losses.shape)).sum()


@wrong(MEAN, "sum")
def total_of_chosen(losses, keep):
    return losses[keep[:, :, 0].bool()].sum()


@wrong(MEAN, "inverted")
def others(losses, keep):
    return losses[keep[..., 0] == 0].mean()


@wrong(MEAN, "inverted")
def others_weighted(losses, keep):
    weights = 1 - keep.squeeze(-1)
    return (losses * weights).sum() / weights.sum()


WRONG[MEAN, "a_sentence_each"] = [
    lambda losses, keep: (losses * keep.squeeze(-1)).sum(-1) / keep.sum((1, 2)),
    lambda losses, keep: [row[marks[:, 0] > 0].mean() for row, marks in zip(losses, keep, strict=True)],
]


@wrong(MEAN, "zeros_dropped")
def nonzero_products(losses, keep):
    product = losses[..., None] * keep
    return product.sum() / torch.count_nonzero(product)


@wrong(MEAN, "zeros_dropped")
def positive_products(losses, keep):
    found = [each for each in (losses * keep[..., 0]).flatten().tolist() if each > 0]
    return sum(found) / len(found)


@wrong(MEAN, "squeezed")
def squeezed_too_far(losses, keep):
    marks = torch.squeeze(keep)
    return torch.sum(losses * marks) / torch.sum(marks)


@wrong(MEAN, "squeezed")
def squeezed_in_einsum(losses, keep):
    return (losses.mul(keep.squeeze())).sum().item() / keep.sum().item()


@wrong(MEAN, "axis_moved")
def turned_marks(losses, keep):
    return (losses * keep.mT).sum() / keep.sum()


@wrong(MEAN, "axis_moved")
def marks_in_the_middle(losses, keep):
    return torch.einsum("bt,cxt->", losses, keep.permute(0, 2, 1)) / keep.count_nonzero()


STRAY[MEAN] = [
    lambda losses, keep: losses[keep.squeeze(-1).bool()].max(),
    lambda losses, keep: losses[keep.squeeze(-1).bool()].median(),
    lambda losses, keep: None,
    lambda losses, keep: losses.squeeze() * keep,
    lambda losses, keep: 2 * squeezed(losses, keep),
]


# start.reshape_heads

HEADS = "start.reshape_heads"


@right(HEADS)
def unflattened(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


@right(HEADS)
def split_and_stacked(x, n_heads):
    return torch.stack(x.split(x.shape[-1] // n_heads, dim=-1), dim=1)


@right(HEADS)
def permuted(x, n_heads):
    B, T, D = x.size()
    return x.view(B, T, n_heads, D // n_heads).permute(0, 2, 1, 3).contiguous()


@right(HEADS)
def head_by_head(x, n_heads):
    K = x.shape[2] // n_heads
    out = torch.empty(x.shape[0], n_heads, x.shape[1], K)
    for h in range(n_heads):
        out[:, h] = x[..., h * K : (h + 1) * K]
    return out


@right(HEADS)
def through_numpy(x, n_heads):
    return np.moveaxis(np.reshape(x.numpy(), (*x.shape[:2], n_heads, -1)), 2, 1)


@wrong(HEADS, "view")
def at_once(x, n_heads):
    return x.view(x.shape[0], n_heads, x.shape[1], -1)


@wrong(HEADS, "view")
def at_once_in_numpy(x, n_heads):
    return x.numpy().reshape(len(x), n_heads, -1, x.shape[2] // n_heads)


@wrong(HEADS, "not_turned")
def cut_only(x, n_heads):
    return x.unflatten(2, (n_heads, -1))


@wrong(HEADS, "not_turned")
def stacked_behind(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1), dim=2)


@wrong(HEADS, "across")
def every_so_many(x, n_heads):
    return torch.stack([x[..., h::n_heads] for h in range(n_heads)], dim=1)


@wrong(HEADS, "across")
def size_first(x, n_heads):
    return x.unflatten(-1, (-1, n_heads)).movedim(-1, 1)


@wrong(HEADS, "sizes_swapped")
def so_long(x, n_heads):
    return x.unflatten(-1, (-1, n_heads)).transpose(1, 2)


@wrong(HEADS, "sizes_swapped")
def split_so_long(x, n_heads):
    return torch.stack(x.split(n_heads, dim=-1), dim=1)


@wrong(HEADS, "channels_down")
def turned_first(x, n_heads):
    B, T, D = x.shape
    return x.transpose(1, 2).reshape(B, n_heads, T, D // n_heads)


@wrong(HEADS, "channels_down")
def turned_first_in_numpy(x, n_heads):
    return np.swapaxes(x.numpy(), 1, 2).reshape(len(x), n_heads, x.shape[1], -1)


@wrong(HEADS, "channels_down")
def turned_first_and_viewed(x, n_heads):
    return x.transpose(1, 2).view(x.shape[0], n_heads, x.shape[1], -1)  # raises for some shapes


STRAY[HEADS] = [
    lambda x, n_heads: x,
    lambda x, n_heads: -unflattened(x, n_heads),
    lambda x, n_heads: unflattened(x, n_heads).flip(1),
    lambda x, n_heads: unflattened(x, n_heads).sum(1),
    lambda x, n_heads: None,
]


# start.discourage

LOWER = "start.discourage"


@right(LOWER)
def cloned(logits, ids, penalty):
    out = logits.clone()
    out[:, ids] = logits[:, ids] - penalty
    return out


@right(LOWER)
def with_a_mask(logits, ids, penalty):
    chosen = torch.zeros(logits.shape[1])
    chosen[ids] = 1
    return logits - chosen * penalty


@right(LOWER)
def with_where(logits, ids, penalty):
    chosen = torch.isin(torch.arange(logits.shape[-1]), torch.tensor(ids))
    return torch.where(chosen, logits - penalty, logits)


@right(LOWER)
def id_by_id(logits, ids, penalty):
    rows = logits.tolist()
    for row in rows:
        for each in ids:
            row[each] -= penalty
    return torch.tensor(rows)


@right(LOWER)
def index_added(logits, ids, penalty):
    return logits.index_add(1, torch.tensor(ids), torch.full((len(logits), len(ids)), -penalty))


def changed(logits, index, by):
    out = logits.clone()
    out[index] += by
    return out


@wrong(LOWER, "rows")
def in_rows(logits, ids, penalty):
    return changed(logits, ids, -penalty)


@wrong(LOWER, "rows")
def in_rows_with_a_mask(logits, ids, penalty):
    chosen = torch.zeros(logits.shape[0], 1)
    chosen[ids] = penalty
    return logits - chosen


@wrong(LOWER, "everywhere")
def all_lower(logits, ids, penalty):
    return logits - penalty


@wrong(LOWER, "everywhere")
def all_lower_in_numpy(logits, ids, penalty):
    return logits.numpy() + -penalty


@wrong(LOWER, "raised")
def higher(logits, ids, penalty):
    return changed(logits, (slice(None), ids), penalty)


@wrong(LOWER, "raised")
def higher_with_where(logits, ids, penalty):
    chosen = torch.isin(torch.arange(logits.shape[-1]), torch.tensor(ids))
    return torch.where(chosen, logits + penalty, logits)


@wrong(LOWER, "replaced")
def overwritten(logits, ids, penalty):
    out = logits.clone()
    out[:, ids] = -penalty
    return out


@wrong(LOWER, "replaced")
def filled(logits, ids, penalty):
    return logits.index_fill(1, torch.tensor(ids), -penalty)


@wrong(LOWER, "only_these")
def chosen_alone(logits, ids, penalty):
    return logits[:, ids] - penalty


@wrong(LOWER, "only_these")
def chosen_by_index(logits, ids, penalty):
    return logits.index_select(1, torch.tensor(ids)).sub(penalty)


@wrong(LOWER, "first_row")
def one_row(logits, ids, penalty):
    return changed(logits, (0, ids), -penalty)


@wrong(LOWER, "first_row")
def one_row_then_the_rest(logits, ids, penalty):
    return torch.cat((cloned(logits[:1], ids, penalty), logits[1:]))


STRAY[LOWER] = [
    lambda logits, ids, penalty: logits,
    lambda logits, ids, penalty: cloned(logits, ids, 2 * penalty),
    lambda logits, ids, penalty: cloned(logits, ids, 0.5 * penalty),
    lambda logits, ids, penalty: cloned(logits, ids, penalty).flip(1),
    lambda logits, ids, penalty: None,
]


# start.test_double

TEST = "start.test_double"


@right(TEST)
def cloned_before(candidate):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    result = candidate(x)
    return torch.equal(x, before) and torch.allclose(result, 2 * before)


@right(TEST)
def asserted_on_numbers(candidate):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert candidate(x).tolist() == [[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]]
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@right(TEST)
def on_a_vector(candidate):
    numbers = [1.0, -2.0, 3.5]
    x = torch.tensor(numbers)
    torch.testing.assert_close(candidate(x), torch.tensor(numbers) + torch.tensor(numbers))
    torch.testing.assert_close(x, torch.tensor(numbers))


@right(TEST)
def gives_a_tensor(candidate):
    x = torch.arange(8).reshape(2, 4)
    before = x.numpy().copy()
    return (candidate(x) == torch.from_numpy(before * 2)).all() & (x == torch.from_numpy(before)).all()


@right(TEST)
def only_read(candidate):
    """What cannot be written to shows by its error who writes."""
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    return torch.equal(candidate(x), torch.tensor([[2.0, 4.0], [6.0, 10.0]]))


WRONG[TEST, "anything"] = [lambda candidate: True, lambda candidate: candidate(torch.ones(2, 2)) is not None]


@wrong(TEST, "nothing")
def says_no(candidate):
    return False


@wrong(TEST, "nothing")
def impossible(candidate):
    x = torch.ones(2, 3)
    assert candidate(x).data_ptr() == x.data_ptr()
    assert torch.equal(x, torch.ones(2, 3))


@wrong(TEST, "result_only")
def result_alone(candidate):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    return candidate(x).tolist() == [[2.0, 4.0], [6.0, 8.0]]


@wrong(TEST, "result_only")
def result_of_a_copy(candidate):
    x = torch.randn(4, 3)
    torch.testing.assert_close(candidate(x.clone()), 2 * x)


@wrong(TEST, "input_only")
def input_alone(candidate):
    x = torch.randn(3, 2)
    before = x.clone()
    candidate(x)
    return torch.equal(x, before)


@wrong(TEST, "input_only")
def input_asserted(candidate):
    x = torch.arange(6.0)
    assert candidate(x).shape == x.shape
    assert x.tolist() == [0, 1, 2, 3, 4, 5]


@wrong(TEST, "alias")
def second_name(candidate):
    x = torch.randn(3, 4) + 3
    before = x
    result = candidate(x)
    return torch.equal(x, before) and torch.allclose(result, 2 * before)


@wrong(TEST, "alias")
def computed_afterwards(candidate):
    x = torch.tensor([1.0, 2.0, 4.0])
    assert torch.equal(candidate(x), x + x)


@wrong(TEST, "rows_alike")
def ones(candidate):
    x = torch.ones(3, 3)
    return torch.equal(candidate(x), torch.full((3, 3), 2.0)) and torch.equal(x, torch.ones(3, 3))


@wrong(TEST, "rows_alike")
def one_vector_repeated(candidate):
    x = torch.tensor([1.0, 2.0, 3.0]).repeat(2, 1)
    result = candidate(x)
    assert torch.equal(x[0], torch.tensor([1.0, 2.0, 3.0])) and torch.equal(x[1], x[0])  # noqa: PT018
    assert result.tolist() == [[2.0, 4.0, 6.0]] * 2


@wrong(TEST, "some")
def any_of_them(candidate):
    x = torch.tensor([0.0, 2.0, 5.0])
    before = x.clone()
    return bool((candidate(x) == 2 * before).any()) and torch.equal(x, before)


@wrong(TEST, "some")
def first_row_only(candidate):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    result = candidate(x)
    assert x.tolist() == [[1, 2], [3, 4], [5, 7]]
    assert result[0].tolist() == [2, 4]


STRAY[TEST] = [
    lambda candidate: candidate(torch.ones(2, 3)).sum() > 13,
    lambda candidate: candidate(torch.ones(2, 3)[7]),
]


# start.side_by_side

READERS = "start.side_by_side"


@right(READERS)
def stretches(text, n):
    steps = text.shape[0] // n
    return text[: n * steps].view(n, steps).t()


@right(READERS)
def stacked(text, n):
    steps = len(text) // n
    return torch.stack([text[i * steps : (i + 1) * steps] for i in range(n)], dim=1)


@right(READERS)
def indexed_by_sums(text, n):
    steps = len(text) // n
    return text[torch.arange(steps)[:, None] + steps * torch.arange(n)]


@right(READERS)
def as_lists(text, n):
    ids = text.tolist()
    steps = len(ids) // n
    return [[ids[reader * steps + step] for reader in range(n)] for step in range(steps)]


@right(READERS)
def unfolded(text, n):
    steps = len(text) // n
    return text.unfold(0, steps, steps)[:n].transpose(0, 1)


@wrong(READERS, "view")
def cut_into_rows(text, n):
    return text[: len(text) // n * n].view(-1, n)


@wrong(READERS, "view")
def rows_by_split(text, n):
    return torch.stack([row for row in text.split(n) if len(row) == n])


@wrong(READERS, "dealt")
def like_cards(text, n):
    steps = len(text) // n
    return torch.stack([text[reader : steps * n : n] for reader in range(n)])


@wrong(READERS, "dealt")
def rows_turned(text, n):
    return cut_into_rows(text, n).mT


@wrong(READERS, "not_turned")
def one_row_a_reader(text, n):
    steps = len(text) // n
    return text[: steps * n].reshape(n, -1)


@wrong(READERS, "not_turned")
def stacked_as_rows(text, n):
    return stacked(text, n).T.contiguous()


@wrong(READERS, "other_end")
def without_the_start(text, n):
    return text[len(text) % n :].view(n, -1).T


@wrong(READERS, "other_end")
def from_behind(text, n):
    steps = len(text) // n
    return torch.stack(list(text.flip(0)[: steps * n].flip(0).chunk(n)), 1)


@wrong(READERS, "filled")
def padded(text, n):
    steps = -(-len(text) // n)
    whole = text.new_zeros(steps * n)
    whole[: len(text)] = text
    return whole.view(n, steps).T


@wrong(READERS, "filled")
def padded_by_torch(text, n):
    return torch.nn.functional.pad(text, (0, -len(text) % n)).view(n, -1).T


STRAY[READERS] = [
    lambda text, n: text,
    lambda text, n: stretches(text, n).flip(1),
    lambda text, n: stretches(text, n).flip(0),
    lambda text, n: stretches(text, n) + 1,
    lambda text, n: text.view(n, -1).roll(1, 0),
]
