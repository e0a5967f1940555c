"""What tests of several domains share."""

from pathlib import Path

HELPERS = Path(__file__).parent
TESTS = HELPERS.parent
DATA = TESTS / "data"
ROOT = TESTS.parent
DOCS = ROOT / "docs"
