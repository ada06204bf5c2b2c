import logging
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from fimble.source.languages import PLAIN, BlockStyle, Languages
from fimble.source.symbols import symbols
from fimble.source.text import Snapshot
from fimble.source.tree import captures, error_count

CASES = Path(__file__).parents[1] / "cases" / "languages"
LANGUAGES = Languages.load()
ALL = [language for language in LANGUAGES if language is not PLAIN]
MARKUP_AND_DATA = {"sql", "html", "css", "json", "yaml", "toml", "markdown"}
BUDGET_MS = 15


def describe(path: Path) -> str:
    """Everything the queries find in a sample, one line each."""
    text = path.read_text(encoding="utf-8")
    language = LANGUAGES.for_document("", path.as_uri())
    snapshot = Snapshot.open(path.as_uri(), 1, language, text).parse(LANGUAGES.grammar(language))
    assert error_count(snapshot.tree) == 0
    query = LANGUAGES.query(language, "symbols")
    lines = [
        f"{symbol.kind} {symbol.name} {_lines(snapshot, symbol.start, symbol.end)}"
        for symbol in symbols(snapshot, query)
    ]
    for name, shown in (("imports", "module"), ("scopes", "scope"), ("lexical", None)):
        if query := LANGUAGES.query(language, name):
            for capture, nodes in sorted(captures(query, snapshot.tree).items()):
                if shown in {None, capture}:
                    lines += ["", f"{capture}:", *(_node(snapshot, node) for node in nodes)]
    return "\n".join(lines) + "\n"


def _node(snapshot: Snapshot, node) -> str:
    # The samples are ASCII, so bytes are characters.
    first, *rest = snapshot.text[node.start_byte : node.end_byte].splitlines() or [""]
    where = _lines(snapshot, node.start_byte, node.end_byte)
    return f"  {where} {first}{' ...' if rest else ''}"


def _lines(snapshot: Snapshot, start: int, end: int) -> str:
    return f"{snapshot.line_of(start) + 1}-{snapshot.line_of(max(start, end - 1)) + 1}"


@pytest.mark.parametrize("language", ALL, ids=lambda language: language.id)
def test_queries_find_what_the_sample_defines(language, update):
    (sample,) = (one for one in CASES.glob(f"{language.id}.*") if one.suffix != ".golden")
    golden = CASES / f"{language.id}.golden"
    found = describe(sample)
    if update:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ALL, ids=lambda language: language.id)
def test_every_language_has_what_the_house_relies_on(language):
    names = ["symbols", "scopes", "lexical"]
    names += [] if language.id in MARKUP_AND_DATA else ["imports"]
    for name in names:
        assert LANGUAGES.query(language, name) is not None, name
    assert set(_capture_names(language, "scopes")) <= {"scope", "body"}
    assert set(_capture_names(language, "lexical")) <= {"comment", "string"}
    for capture in _capture_names(language, "symbols"):
        assert capture == "name" or capture.startswith(("definition.", "_"))
    assert language.lsp_ids
    assert all(extension.startswith(".") for extension in language.extensions)
    assert language.block_style is BlockStyle.NONE or language.indent


def _capture_names(language, name):
    query = LANGUAGES.query(language, name)
    return [query.capture_name(i) for i in range(query.capture_count)]


def test_grammar_packages_are_dependencies():
    wanted = {language.grammar_package for language in ALL}
    declared = {one.split(">")[0] for one in requires("fimble") or [] if "extra" not in one}
    assert wanted <= declared


@pytest.mark.parametrize(
    ("language_id", "path", "expected"),
    [
        ("python", "untitled:Untitled-1", "python"),
        ("typescriptreact", "file:///a/b.tsx", "tsx"),
        ("", "file:///a/b.tsx", "tsx"),
        ("cpp", "file:///a/b.h", "cpp"),  # the editor knows better than the name
        ("", "file:///a/b.h", "c"),
        ("plaintext", "/a/b.py", "python"),
        ("who-knows", "file:///a/Gemfile", "ruby"),
        ("", "file:///a/with%20space.RS?x=1#y", "rust"),
        ("", "C:\\a\\b.d.ts", "typescript"),
        ("", "file:///a/.bashrc", "bash"),
        ("SHELLSCRIPT", "file:///a/b", "bash"),
        ("", "file:///a/b.py/README", "plaintext"),
        ("", "file:///a/.py", "python"),
        ("brainfuck", "file:///a/b.bf", "plaintext"),
        ("", "", "plaintext"),
    ],
)
def test_language_of_a_document(language_id, path, expected):
    assert LANGUAGES.for_document(language_id, path).id == expected


def test_plain_text_has_no_grammar_and_works_without():
    assert LANGUAGES.grammar(PLAIN) is None
    assert LANGUAGES.query(PLAIN, "symbols") is None
    snapshot = Snapshot.open("file:///notes", 1, PLAIN, "a\n").parse(LANGUAGES.grammar(PLAIN))
    assert snapshot.edit(1, 1, "b", 2).tree is None


def test_a_missing_package_means_plain_text_and_one_line_in_the_log(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tree_sitter_lua", None)
    languages = Languages.load()
    lua = languages.for_document("lua", "file:///a.lua")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert languages.grammar(lua) is None
            assert languages.query(lua, "symbols") is None
    assert [record.getMessage() for record in caplog.records] == [
        "Lua files are treated as plain text: the package tree-sitter-lua is not installed."
    ]
    snapshot = Snapshot.open("file:///a.lua", 1, lua, "x = 1\n").parse(languages.grammar(lua))
    assert snapshot.edit(0, 1, "y", 2).text == "y = 1\n"


def test_a_new_language_is_a_folder(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "language.toml").write_text(
        'name = "Toy"\nlsp_ids = ["toy"]\nextensions = [".toy"]\nblock_style = "end"\n'
    )
    languages = Languages.load(tmp_path)
    toy = languages.for_document("", "/a.toy")
    assert (toy.id, toy.block_style, toy.indent) == ("toy", BlockStyle.END, "    ")
    assert languages.grammar(toy) is None
    assert [language.id for language in languages] == ["plaintext", "toy"]


def test_no_name_is_claimed_twice():
    for field in ("lsp_ids", "extensions", "filenames"):
        claimed = [name for language in ALL for name in getattr(language, field)]
        assert len(claimed) == len(set(claimed)), field


def test_loading_is_fast_and_imports_no_grammar():
    program = (
        "import sys, time, fimble.source.text\n"
        "from fimble.source.languages import Languages\n"
        "def ms():\n"
        "    start = time.process_time()\n"
        "    Languages.load()\n"
        "    return (time.process_time() - start) * 1000\n"
        "print(min(ms() for _ in range(10)), any('tree_sitter' in name for name in sys.modules))\n"
    )
    # Without `site` nothing counts lines for coverage, which takes longer than what is measured.
    result = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        capture_output=True,
        text=True,
    )
    spent, imported = result.stdout.split()
    assert float(spent) < BUDGET_MS
    assert imported == "False"


def test_every_language_toml_has_only_known_keys():
    known = set(PLAIN.__dataclass_fields__) - {"id", "grammar_package", "grammar_function"}
    for language in ALL:
        file = CASES.parents[2] / "grammars" / language.id / "language.toml"
        assert set(tomllib.loads(file.read_text())) <= known | {"grammar"}


@pytest.mark.parametrize(
    ("told", "has_examples"),
    [
        ("// double(2) // => 4", True),
        ("// double(2); // 4", True),
        ("/**\n * @example\n * double(2)\n * // => 4\n */", True),
        ("// checked(-1) => RangeError", True),
        ("// even(2) === true", True),
        ("@param {(a: number) => string} name", False),
        ("fetch(url).then((one) => one)", False),
        ("stop() // then start", False),
        ("Twice as much as double(a).", False),
    ],
)
def test_only_examples_look_like_some_in_javascript(told, has_examples):
    assert bool(re.search(LANGUAGES.get("javascript").examples, told)) is has_examples
