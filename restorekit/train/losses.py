"""The losses of :mod:`restorekit.losses`, under the name of the package that uses them."""

from restorekit.losses import *  # noqa: F403
