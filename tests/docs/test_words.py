"""Pages, docstrings, comments and messages avoid the phrases of ``words.toml``, which read like a translation."""

import bisect
import io
import re
import tokenize
import tomllib
from pathlib import Path

import pytest

from _helpers import DOCS, ROOT

WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text())["words"]
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
CODE = sorted((ROOT / "restorekit").rglob("*.py"))
FENCED = re.compile(r"^ *```.*?^ *```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"``[^`]+``|`[^`]+`|\]\([^)]*\)")
QUOTES = re.compile(r"\A\w*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')\Z")
NOT_BETWEEN = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def prose_of_page(text):
    """Return lines of prose with their numbers: a page without its code."""
    text = FENCED.sub(lambda match: "_" + "\n" * match[0].count("\n"), text)
    return enumerate(text.splitlines(), start=1)


def prose_of_module(source):
    """Return lines of prose with their numbers: comments and strings of a module, `|` where code is between them."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#")
        elif token.type in STRINGS:
            yield from enumerate(QUOTES.sub("", token.string).splitlines(), start=token.start[0])
        elif token.type not in NOT_BETWEEN:
            yield token.start[0], "|"


def phrases(lines):
    """Return the line, the phrase and the replacement of everything found."""
    text, numbers, starts = "", [], []
    for number, line in lines:
        numbers.append(number)
        starts.append(len(text))
        text += (" ".join(INLINE.sub("_", line).split()) or "|") + " "
    found = [(match, word["use"]) for word in WORDS for match in re.finditer(word["find"], text, re.IGNORECASE)]
    return sorted((numbers[bisect.bisect(starts, match.start()) - 1], match[0], use) for match, use in found)


def test_the_example_of_every_phrase_is_found():
    for word in WORDS:
        first, *others = word["bad"].split()
        page = f"Text.\n\n{first}\n{' '.join(others)}"
        module = (
            f'def f():\n    """Text.\n\n    {first}\n    {" ".join(others)}\n    """\n    # {first}\n    # {" ".join(others)}\n'
        )
        lines = [line for line, _, use in phrases(prose_of_page(page)) if use == word["use"]]
        assert lines in ([3], [4]), word
        assert len([use for *_, use in phrases(prose_of_module(module)) if use == word["use"]]) == 2, word


def test_code_is_not_prose():
    assert not phrases(prose_of_page("```python\nanew = 1  # anew\n```\n`anew` [a](anew.md)"))
    assert not phrases(prose_of_module('anew = ["go", "on"]\n'))


def test_words():
    prose = {path: prose_of_page(path.read_text()) for path in PAGES} | {path: prose_of_module(path.read_text()) for path in CODE}
    found = [
        f'{path.relative_to(ROOT)}:{line}: "{phrase}": write {use}'
        for path, lines in prose.items()
        for line, phrase, use in phrases(lines)
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)
