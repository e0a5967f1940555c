"""``python -m restorekit``, which ``accelerate launch -m restorekit`` also starts."""

from restorekit.cli import main

main()
