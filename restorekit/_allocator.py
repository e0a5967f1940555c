"""How the memory of a program is allocated."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # from malloc.h


def keep_freed_memory() -> None:
    """Make glibc's allocator keep freed memory for later allocations; with another C library, do nothing.

    By default, glibc maps large buffers again for each allocation, and the system clears them page by page, which takes a fifth to
    a third of the time of a network on a CPU. The price is that a process takes up to half as much memory again at its peak. Only
    programs should call this, once, at their start; in this package, only the command line does.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # on macOS and Windows
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Make glibc's allocator return freed memory to the system; with another C library, do nothing."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
