"""Memory for what is large and stays: pages of its own, apart from the heap."""

import contextlib
import ctypes
import mmap
import sys

import numpy as np

HUGE_PAGE_BYTES = 2 << 20
POPULATE_READ = 22  # of madvise, Linux 5.14 and later; the mmap module does not name it


def own_pages(n_bytes: int, huge: bool = False) -> np.ndarray:
    """Zero bytes in pages of their own; their memory is taken when they are written.

    From the heap, matrices that stay would lie between temporaries that go, and a 7B would keep a gigabyte of holes.

    Args:
        n_bytes: how many.
        huge: ask for pages of 2 MB where the system has them (Linux). They are found faster while weights stream by,
            and taken whole, so they suit memory that is written from end to end.

    Returns:
        uint8 (n_bytes,), at an address that is a multiple of the page size.

    >>> own_pages(5)
    array([0, 0, 0, 0, 0], dtype=uint8)
    """
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}  # not Windows
    pages = mmap.mmap(-1, max(1, n_bytes), **private)
    if huge and n_bytes >= HUGE_PAGE_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8, n_bytes)


def in_own_pages(array: np.ndarray) -> np.ndarray:
    """A copy of a uint8 array in pages of its own."""
    copy = own_pages(array.nbytes).reshape(array.shape)
    copy[:] = array
    return copy


def read_ahead(array: np.ndarray) -> None:
    """Bring the pages of a mapped file that an array lies in into memory at once, rather than one by one.

    A hint: where the system does not know it, nothing happens.

    Args:
        array: C-contiguous, of any dtype; what it holds is only read.
    """
    if sys.platform != "linux":
        return
    start = array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
    length = array.ctypes.data + array.nbytes - start
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), POPULATE_READ)
