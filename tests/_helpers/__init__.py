"""What tests of several domains share."""

from pathlib import Path

import hypothesis

HELPERS = Path(__file__).parent
TESTS = HELPERS.parent
DATA = TESTS / "data"
ROOT = TESTS.parent
DOCS = ROOT / "docs"
HALF = hypothesis.settings(max_examples=hypothesis.settings().max_examples // 2)  # examples that build networks take their time
