"""How the memory of a program is managed."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for what comes next, where it is glibc; elsewhere, do nothing.

    By default, glibc maps large buffers anew each time, and the system clears them page by page: a fifth to a third of the time
    of a network on a processor. The price is that a process takes up to half as much memory again at its peak. This is for
    programs to call, once, at their start; the command line does, and no other part of this library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # of macOS and Windows
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
