"""The process that a command runs in: its standard streams, and the signals that stop it."""

import os
import signal
import sys
from types import FrameType

_received: list[int] = []


def occupy_closed_streams() -> None:
    """Open the null device in place of closed standard streams.

    Otherwise the next file that is opened would take their descriptor, and a message of a library would be written into a picture.
    """
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free descriptor: this one
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # for names that its encoding lacks


def stop_like_ctrl_c() -> None:
    """Let a request to end the process, or a closed terminal, stop commands as Ctrl-C does: they finish files, and clean up."""
    for number in stopping_signals():
        signal.signal(number, _stop)


def stopping_signals() -> list[int]:
    """Return the signals, other than Ctrl-C, that end this process: not the closing of the terminal if nohup ignores it."""
    known = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    return [number for number in known if number is not None and signal.getsignal(number) is not signal.SIG_IGN]


def _stop(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt


def status_after_signals(status: int) -> int:
    """Return the exit status: for a command that a signal stopped, the one that shells give for this signal."""
    return 128 + _received[0] if _received and status == 128 + signal.SIGINT else status
