import pytest

from fimble.check.parse import clean_part, closed, parses_no_worse
from fimble.source.text import Snapshot
from goldens import snapshot_of


@pytest.mark.parametrize(
    ("name", "marked", "text", "expected"),
    [
        ("a.py", "def f():\n    █\n", "return 1", True),
        ("a.py", "def f():\n    █\n", "return 1)", False),
        ("a.py", "f(█\n", "a, b)", True),
        ("a.py", "f(█\n", "a, b", True),
        ("a.py", "def g(:\n    x\n\ny = █\n", "1", True),
        ("a.js", "function f() {\n  █\n}\n", "return 1;", True),
        ("a.js", "function f() {\n  █\n}\n", "return 1;\n}", False),
        ("a.go", "package a\n\nfunc f() int {\n\t█\n}\n", "return 1", True),
        ("a.txt", "█", ")))", True),
    ],
)
async def test_parses_no_worse(name, marked, text, expected):
    snapshot, offset = snapshot_of(name, marked)

    assert await parses_no_worse(snapshot, offset, offset, text) is expected


async def test_a_replaced_range():
    snapshot, offset = snapshot_of("a.py", "f(█)\n")

    assert await parses_no_worse(snapshot, offset, offset + 1, "a)")
    assert not await parses_no_worse(snapshot, offset, offset, "a)")


async def test_unparsed_text_is_not_judged():
    parsed, offset = snapshot_of("a.py", "x = █")
    snapshot = Snapshot.open(parsed.uri, 1, parsed.language, parsed.text)

    assert await parses_no_worse(snapshot, offset, offset, ")))")


@pytest.mark.parametrize(
    ("name", "marked", "text", "part"),
    [
        ("a.py", "def f():\n    █\n", "a = 1\n    b = )\n    c = 2", "a = 1"),
        ("a.py", "def f():\n    █\n", "a = )", ""),
        ("a.py", "x = █\n", "f(", "f("),
        ("a.js", "█\n", "if (a) {\n  b();", "if (a) {\n  b();"),
        ("a.rb", "█\n", "if a\n  b", "if a\n  b"),
        ("a.py", "def f():█\n", "\n    )", ""),
    ],
)
async def test_clean_part(name, marked, text, part):
    snapshot, offset = snapshot_of(name, marked)

    assert await clean_part(snapshot, offset, offset, text) == part


@pytest.mark.parametrize(
    ("name", "text", "whole"),
    [
        ("a.py", "f([", "f([])"),
        ("a.py", "f(a,", "f(a)"),
        ("a.py", "f(a)", "f(a)"),
        ("a.js", "if (a) {\n  b(", "if (a) {\n  b()}"),
        ("a.rb", "def f", "def f\nend"),
    ],
)
def test_closed(name, text, whole):
    snapshot, _ = snapshot_of(name, "█\n")

    assert closed(text, snapshot) == whole
