"""Memory for what is large and stays: pages of its own, apart from the heap."""

import mmap

import numpy as np

HUGE_PAGE_BYTES = 2 << 20


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
        try:
            pages.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # a kernel without them
            pass
    return np.frombuffer(pages, np.uint8, n_bytes)
