"""What a process leaves that is killed while it writes a file."""

from pathlib import Path

from restorekit._files import atomic_path


def leftover(path):
    """Write the temporary file of a killed process, and return it: its name is real, and nobody has locked it."""
    with atomic_path(path) as temporary:
        name = temporary.name
    Path(path).unlink()
    left = Path(path).with_name(name)
    left.write_text("a half")
    return left
