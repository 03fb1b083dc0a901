"""Docstrings begin with a verb or a noun, and say plainly how many there are of a thing."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "entropy_sums"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = re.compile(
    r"(What|Of|Those|How|That|Whatever|As|By|From|With|In|For|Where|Which)\b|.*\b(so many|[Hh]ow many)\b", re.S
)


def docstrings(tree):
    """Line and text of every string that stands by itself: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_docstrings_begin_with_a_verb_or_a_noun(path):
    found = docstrings(ast.parse(path.read_text(encoding="utf-8")))
    wrong = [f"line {line}: {text.strip()[:60]}" for line, text in found if FORBIDDEN.match(text.strip())]
    assert not wrong
