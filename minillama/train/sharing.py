"""What a training asks of the processes that share it; here there is one, which holds and does everything."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from torch import Tensor

from minillama.model import Llama
from minillama.train.loop import TrainPieces


class Alone:
    """One process.

    Attributes:
        first: this process writes files and speaks.
        pieces: what the loop is made of.
    """

    first = True
    pieces = TrainPieces()

    def in_turn(self) -> AbstractContextManager[None]:
        """A block that the first process has finished before the others begin with it: it makes files, they read."""
        return nullcontext()

    def share(self, model: Llama) -> None:
        """Cut a model into shares, in place; all processes hold it with equal weights until then."""

    @contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """The folder that a process keeps its run in."""
        yield out

    def loading_device(self, device: str) -> str:
        """Where a model is loaded to that will be shared, when it is to learn on `device`."""
        return device

    def whole_tensor(self, tensor: Tensor) -> Tensor:
        """All of a parameter, for every process."""
        return tensor.detach()

    def whole(self, model: Llama) -> Llama:
        """The model with all of its weights, in the first process; in the others, with any."""
        return model


ALONE = Alone()
