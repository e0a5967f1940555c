"""Deciding which steps to apply, so that one bad batch does not ruin the weights."""

import math
import statistics
from typing import Any

REMEMBERED = 100  # norms
ENOUGH = 10  # number of norms needed to judge the next one


class Guard:
    """Rejects steps whose loss or gradient is not finite, or whose gradient is much larger than those before.

    Args:
        factor: a norm beyond this many times the median of the last 100 is rejected.
        limit: this many rejections in a row stop the run.

    Attributes:
        refused: how many steps in a row were rejected.

    Example:
        >>> guard = Guard(factor=20.0, limit=3)
        >>> all(guard.accepts(loss=0.1, norm=1.0) for _ in range(10))
        True
        >>> guard.accepts(loss=0.1, norm=30.0), guard.accepts(loss=float("nan"), norm=1.0)
        (False, False)
        >>> guard.refused
        2
    """

    def __init__(self, factor: float, limit: int) -> None:
        self.factor = factor
        self.limit = limit
        self.norms: list[float] = []
        self.refused = 0

    def accepts(self, loss: float, norm: float) -> bool:
        """Return whether to apply a step."""
        fine = math.isfinite(loss) and math.isfinite(norm) and norm <= self.factor * self._usual()
        if fine:
            self.norms = [*self.norms, norm][-REMEMBERED:]
        self.refused = 0 if fine else self.refused + 1
        return fine

    def check(self, loss: float, norm: float) -> None:
        """Raise a ``FloatingPointError`` that says what to do if too many steps in a row were rejected."""
        if self.refused >= self.limit:
            raise FloatingPointError(
                f"{self.refused} steps in a row would have ruined the weights: the last loss is {loss:.3g}, and the norm of the "
                f"gradient is {norm:.3g}, usually {self._usual():.3g}. Resume from the last checkpoint with a lower learning rate "
                "(optimizer.lr=... --allow-changes), try run.precision=float32, and look at the samples listed in log.jsonl"
            )

    def _usual(self) -> float:
        return statistics.median(self.norms) if len(self.norms) >= ENOUGH else math.inf

    def state_dict(self) -> dict[str, Any]:
        """Return the state that is needed to resume a run exactly."""
        return {"norms": self.norms, "refused": self.refused}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state."""
        self.norms, self.refused = list(state["norms"]), int(state["refused"])
