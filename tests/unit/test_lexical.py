from pathlib import Path

import pytest

from fimble.source.lexical import Inside, inside
from fimble.source.tree import captures
from goldens import CASES, LANGUAGES, snapshot_of

# SQL calls all literals alike, and in Markdown the query means blocks of other languages.
UNLIKE = {".golden", ".sql", ".md"}
SAMPLES = [path for path in sorted((CASES / "languages").iterdir()) if path.suffix not in UNLIKE]


@pytest.mark.parametrize(
    ("name", "marked", "where"),
    [
        ("a.py", "# one █two", Inside.COMMENT),
        ("a.py", "# one█\nx = 1", Inside.COMMENT),
        ("a.py", "█# one", Inside.CODE),
        ("a.py", "x = 1\n█", Inside.CODE),
        ("a.py", "x = 'a█b'", Inside.STRING),
        ("a.py", "x = '█'", Inside.STRING),
        ("a.py", "x = 'ab'█", Inside.CODE),
        ("a.py", "x = █'ab'", Inside.CODE),
        ("a.py", "x = f'a{b█}c'", Inside.CODE),
        ("a.js", "x = `a${b█}c`", Inside.CODE),
        ("a.js", "x = `a█`", Inside.STRING),
        ("a.c", "int a; /* one█ */", Inside.COMMENT),
        ("a.c", "int a; /* one */█", Inside.CODE),
        ("a.c", "int a; // one█", Inside.COMMENT),
        ("a.txt", "# one█", Inside.CODE),
        ("a.py", "é = 'é█'", Inside.STRING),
    ],
)
def test_inside(name, marked, where):
    assert inside(*snapshot_of(name, marked)) is where


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_names_of_nodes_agree_with_the_queries(path: Path):
    snapshot, _ = snapshot_of(path.name, "█" + path.read_text(encoding="utf-8"))
    query = LANGUAGES.query(snapshot.language, "lexical")
    if query is None:
        pytest.skip("The language has no such query.")
    data = snapshot.text.encode()
    for name, nodes in captures(query, snapshot.tree).items():
        for node in nodes:
            first = data[: node.start_byte].decode()
            if node.end_byte - node.start_byte < 2:
                continue
            assert inside(snapshot, len(first) + 1).value == name, node
