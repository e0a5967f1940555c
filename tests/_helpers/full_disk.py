"""A disk that takes files of so many bytes and no larger ones, which needs no rights: what is beyond is cut, and then an error."""

import contextlib
import resource


@contextlib.contextmanager
def largest_file(size):
    """Limit the files that this process writes; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
