"""Time `import restorekit` beside `import torch`, alternating, each in a process of its own; medians.

python benchmarks/import_time.py
"""

import statistics
import subprocess
import sys
import time


def seconds(module: str) -> float:
    """Return how long a process takes that imports a module."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - started


times = [(seconds("torch"), seconds("restorekit")) for _ in range(6)][1:]  # the first pair fills the caches
torch_time, restorekit_time = (statistics.median(column) for column in zip(*times, strict=True))
print(f"torch {torch_time:.2f} s, restorekit {restorekit_time:.2f} s: {restorekit_time / torch_time - 1:+.1%}")
