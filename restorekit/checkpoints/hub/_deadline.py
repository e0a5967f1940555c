"""A deadline for whatever waits for another machine, which may send one byte a second for ever."""

import threading
from collections.abc import Callable
from typing import TypeVar

from restorekit._limits import setting
from restorekit.checkpoints.hub._errors import PAUSE, again

T = TypeVar("T")

VARIABLE = "RESTOREKIT_DEADLINE"
SECONDS = 60.0  # for an answer
BYTES = 10_000_000  # of a file; this many more have the same time again
LONGEST = 60  # times the seconds, for a file of any size


def within_deadline(call: Callable[[], T], place: str, size: int = 0) -> T:
    """Return the result of a function that talks to another machine.

    It runs in a thread, since only this bounds reading, waiting and trying again in all libraries. When it takes too long, it is
    left to itself; it ends with the process.

    Args:
        call: the function.
        place: what was requested, and from where, for messages.
        size: bytes to transfer, as far as known.

    Raises:
        UnreachableError: if it takes more than RESTOREKIT_DEADLINE seconds (60 by default), plus that for every 10 MB, or an hour.
    """
    seconds = setting(VARIABLE, SECONDS)
    allowed = seconds * min(1 + size / BYTES, LONGEST)
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=f"restorekit: {place}", daemon=True)
    thread.start()
    thread.join(allowed)
    if errors:
        raise errors[0]
    if not results:
        raise again(
            f"{place}: not finished within {allowed:.3g} s; try again, or allow more with {VARIABLE}={10 * seconds:g}", PAUSE
        )
    return results[0]
