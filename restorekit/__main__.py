"""``python -m restorekit``, which is also what ``accelerate launch -m restorekit`` starts."""

from restorekit.cli import main

main()
