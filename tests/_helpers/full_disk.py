"""A disk that takes files of so many bytes and no larger ones, which needs no rights: what is beyond is cut, and then an error."""

import contextlib
import os
import resource
import subprocess
import sys

COMMAND = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from restorekit.cli import main
main()
"""


@contextlib.contextmanager
def largest_file(size):
    """Limit the files that this process writes; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def restorekit(*arguments, cwd, size):
    """Run a shell command on a disk that takes files of this many bytes and no larger ones."""
    command = [sys.executable, "-c", COMMAND, str(size), *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, env=environment)
