"""Promotion: what is taken along, what is refused, undo, and the model that runs a learner's pieces."""

import logging
import math as mathematics
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import minillama
from minillama import course, rope
from minillama.checkpoint.own_pieces import own_names, read_pieces
from minillama.course import home
from minillama.course.promoting import piece_path
from minillama.course.sources import standalone_source
from minillama.course.tasks import find_task
from minillama.course.tracing import ForbiddenCallError, forbid
from minillama.errors import ConfigError, DataError
from minillama.evaluate import scored_windows
from minillama.model import Pieces
from minillama.quant.formats import Q4_0

APPLY, PERMUTE = "rope.apply_rope", "rope.permute_hf_to_meta"
Turned = Callable[[Tensor, Tensor, Tensor], Tensor | None]
AXIS = -1
SHAPE = (-1, 2)
TENSOR = torch.ones(2)
NAMES = {"norm": ["a", "b"], "rope": [AXIS]}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))


def split(x: Tensor) -> tuple[Tensor, ...]:
    return x.float().unflatten(AXIS, SHAPE).unbind(AXIS)


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = split(x)
    cos, sin = cos[:, None, :], sin[:, None, :]
    turned = torch.stack((first * cos - second * sin, first * sin + second * cos), dim=AXIS)
    return turned.flatten(-2).to(x.dtype)


def turn_with_other_name(x, cos, sin):
    numbers = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(numbers * torch.complex(cos, sin)[:, None]).flatten(-2).to(x.dtype)


def takes_its_own_place(x, cos, sin):
    return apply_rope(x, cos, sin)


def names_a_type(x, cos, sin, turn: Turned = apply_rope):
    return turn(x, cos, sin)


def reads_a_layout(blocks):
    return blocks.view(Q4_0)["d"]


def looks_up(name):
    return NAMES[name]


def leans_on_a_tensor(x, cos, sin):
    return apply_rope(x, cos, sin) * TENSOR[0]


def leans_on_nothing(x, cos, sin):
    return undefined_helper(x)  # noqa: F821


class Scaled(torch.nn.Module):
    """A class with helpers in several methods."""

    half = 0.5
    quarter = half / 2

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x) * mathematics.sqrt(self.half) * AXIS


def run(source):
    space: dict = {}
    exec(compile(source, "piece.py", "exec"), space)
    return space


def test_helpers_imports_and_constants_are_taken_along():
    source = standalone_source(apply_rope, "apply_rope")
    for words in ("import torch", "from torch import Tensor", "AXIS = -1", "SHAPE = (-1, 2)", "def split"):
        assert words in source
    x, tables = torch.randn(1, 3, 2, 4), rope.rope_frequencies(4, 3)
    assert torch.equal(run(source)["apply_rope"](x, *tables), rope.apply_rope(x, *tables))


def test_the_name_of_a_type_is_taken_along():
    source = standalone_source(names_a_type, "names_a_type")
    assert (
        "Turned = collections.abc.Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor | None]" in source
    )
    made = {"__name__": "alone"}
    exec(source, made)
    assert made["Turned"] == Turned


def test_a_layout_of_the_package_is_imported_from_there():
    assert (
        "from minillama.quant.formats import Q4_0" in standalone_source(reads_a_layout, "reads_a_layout").splitlines()
    )


def test_a_table_is_taken_along():
    assert run(standalone_source(looks_up, "looks_up"))["looks_up"]("rope") == [-1]


def test_another_name_and_a_class_are_taken_along():
    assert "apply_rope = turn_with_other_name" in standalone_source(turn_with_other_name, "apply_rope").splitlines()
    source = standalone_source(Scaled, "Scaled")
    assert "import math as mathematics" in source
    assert "import torch.nn.functional as F" in source
    assert torch.equal(run(source)["Scaled"]()(torch.ones(2)), Scaled()(torch.ones(2)))


def test_what_is_missing_is_named():
    with pytest.raises(DataError, match="TENSOR, a Tensor of the notebook"):
        standalone_source(leans_on_a_tensor, "apply_rope")
    with pytest.raises(DataError, match="undefined_helper, which is defined nowhere"):
        standalone_source(leans_on_nothing, "apply_rope")
    with pytest.raises(DataError, match="uses another apply_rope"):
        standalone_source(takes_its_own_place, "apply_rope")
    with pytest.raises(DataError, match="with def"):
        standalone_source(lambda x: x, "apply_rope")
    assert "is not promoted" in repr(course.promote(APPLY, leans_on_a_tensor))
    assert not piece_path(find_task(APPLY)).exists()


def test_promote_checks_keeps_versions_and_undoes(caplog):
    promoted = course.promote(APPLY, apply_rope)
    assert repr(promoted).startswith("✓"), promoted
    first = piece_path(find_task(APPLY)).read_text(encoding="utf-8")
    assert repr(course.promote(APPLY, turn_with_other_name)).startswith("✓")
    assert piece_path(find_task(APPLY)).read_text(encoding="utf-8") != first
    assert "in your LLaMA" in repr(course.where("04_rope"))

    with caplog.at_level(logging.INFO, "minillama"):
        model, tokenizer = minillama.load(pieces="my_llama")
    assert "yours: apply_rope" in caplog.text
    assert own_names(model.pieces) == ["apply_rope"]
    assert model.layers[0].attention.apply_rope.__module__ == "my_llama.rope.apply_rope"
    reference, _ = minillama.load()
    options = {"prompt": "Once upon a time", "max_new_tokens": 12}
    assert minillama.generate(model, tokenizer, **options) == minillama.generate(reference, tokenizer, **options)

    assert "version before is back" in repr(course.undo(APPLY))
    assert piece_path(find_task(APPLY)).read_text(encoding="utf-8") == first
    assert "taken out" in repr(course.undo(APPLY))
    assert "nothing of yours" in repr(course.undo(APPLY))
    assert own_names(read_pieces("my_llama")) == []


def wrong_turn(x, cos, sin):
    return rope.apply_rope(x, cos, -sin)


def test_a_wrong_piece_stays_out():
    text = repr(course.promote(APPLY, wrong_turn))
    assert "not promoted" in text
    assert "other direction" in text
    assert not piece_path(find_task(APPLY)).exists()
    assert "nothing to promote" in repr(course.promote("rope.rotate_step", wrong_turn))


def test_folders_of_pieces_are_read_with_care(tmp_path):
    with pytest.raises(ConfigError, match="promote a piece first"):
        read_pieces("my_llama")
    folder = home.my_llama() / "rope"
    folder.mkdir(parents=True)
    assert read_pieces("my_llama") == Pieces()
    (folder / "apply_rope.py").write_text("raise ValueError('no')", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not run"):
        minillama.load(pieces="my_llama")
    (folder / "apply_rope.py").write_text("other = 1", encoding="utf-8")
    with pytest.raises(ConfigError, match="defines no apply_rope"):
        read_pieces(home.my_llama())


@torch.no_grad()
def halved(x: Tensor) -> Tensor:
    return x.unflatten(AXIS, SHAPE)[..., 0]


@torch.inference_mode()
def halves(x: Tensor) -> Iterator[Tensor]:
    yield from x.unflatten(AXIS, SHAPE).unbind(AXIS)


def test_what_a_decorator_of_torchs_makes_is_taken_along_and_is_not_what_others_made_by_it_are() -> None:
    source = standalone_source(halved, "halved")
    for line in ("@torch.no_grad()\ndef halved", "import torch", "AXIS = -1"):
        assert line in source
    with forbid(("minillama.evaluate:scored_windows",)):  # a generator under the same decorator
        assert len(list(halves(torch.ones(4)))) == 2
        with pytest.raises(ForbiddenCallError):
            next(iter(scored_windows(None, [], None)))
