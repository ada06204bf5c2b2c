"""Languages as data: what `grammars/<id>/language.toml` and the queries beside it say.

Adding a language adds a folder there and touches no code. `Languages.load` reads the small TOML
files only; tree_sitter, a grammar and its queries are loaded when the first file of their
language asks, so that the server answers ``initialize`` at once.
"""

from __future__ import annotations

import importlib
import logging
import tomllib
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tree_sitter import Language as Grammar
    from tree_sitter import Query

log = logging.getLogger(__name__)


class BlockStyle(StrEnum):
    """What holds the body of a function or a loop together."""

    INDENT = "indent"
    BRACES = "braces"
    END = "end"
    NONE = "none"


class DocPlace(StrEnum):
    """Where documentation stands: before the definition or first in its body."""

    ABOVE = "above"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class DocComment:
    """How a documentation comment is written: ``open``, lines each after ``line``, ``close``.

    A form without ``open`` and ``close`` is a run of lines. ``custom`` says in a few words what is
    written in them by custom: the model reads it.
    """

    place: DocPlace
    line: str
    open: str = ""
    close: str = ""
    custom: str = ""


@dataclass(frozen=True, slots=True)
class Framework:
    r"""How tests are written with a library; what holds it together is text with placeholders.

    ``seen`` is found in files that use it, ``fits`` in files that it can test. ``files`` are where
    tests go, seen from the workspace, by what is most usual. ``test`` finds where a test begins:
    its first group begins where the test's syntax node does, ``name`` is its name. ``assertion``
    finds a check in it. A file of tests is ``imports``, ``gap`` blank lines, ``begin`` with the
    beginning of the first test, more tests, and ``end``.

    The placeholders: ``{name}`` is what has to be imported and ``{Name}`` the same in CamelCase,
    ``{subject}`` what is tested, ``{stem}`` and ``{ext}`` are the file's name and extension,
    ``{folder}`` is its folder, ``{module}`` its path with dots, ``{relative}`` its path without
    extension from the test's folder.
    """

    name: str
    files: tuple[str, ...]
    begin: str
    test: str
    assertion: str
    seen: str = ""
    fits: str = ""
    imports: tuple[str, ...] = ()
    end: str = ""


@dataclass(frozen=True, slots=True)
class Tests:
    """How a language is tested: by the first framework that a project is seen to use.

    ``reachable`` is found in files whose ``{name}`` a test can use, ``hidden`` in the first line of
    definitions that it cannot use. ``manifests`` are files that may name a framework. ``opening``
    finds what a test's file begins with as the tested one does. ``package`` is the file that makes
    a folder a part of a module's path. ``mirror`` is the folder of code, and that of tests which
    has the same folders inside. ``gap`` is the number of blank lines between definitions.
    """

    frameworks: tuple[Framework, ...]
    reachable: str = ""
    hidden: str = ""
    manifests: tuple[str, ...] = ()
    opening: str = ""
    package: str = ""
    mirror: tuple[str, str] = ("", "")
    gap: int = 1


@dataclass(frozen=True, slots=True)
class Language:
    """What Fimble knows of a language; the defaults are those of plain text.

    ``id`` is the name of the folder in `grammars/`; ``lsp_ids`` are the language ids editors send.
    Extensions have their dot. ``indent`` is one level by the language's custom.
    ``grammar_package`` is the distribution on PyPI, ``grammar_function`` what its module calls to
    get the grammar; both are empty where there is none. ``queries`` is the folder that holds the
    queries, where dialects share them. ``stubs`` are regular expressions for bodies that only say
    that there is none yet; in them ``{arguments}`` are arguments in parentheses, ``{unwritten}``
    are such as say so. ``imports`` maps names everybody knows to the line that imports them.
    ``compilers`` are commands that read a file from standard input and fail if it does not
    compile, running nothing of it; one of them is enough to accept it. ``checkers`` run nothing of
    it either, and print ``file:line:column: code message``. ``examples`` is a regular expression
    for what examples in a comment look like; where it is set, the folder's program `examples` runs
    those of one function, and ``runner`` is the command that runs the folder's programs.
    ``types`` is what annotations of parameters and results are called, where a function may do
    without them. ``tests`` is how tests are written; a program `tests` in the folder runs them.
    """

    id: str
    name: str
    lsp_ids: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    line_comment: str | None = None
    block_comment: tuple[str, str] | None = None
    doc_comment: DocComment | None = None
    block_style: BlockStyle = BlockStyle.NONE
    indent: str = "    "
    grammar_package: str = ""
    grammar_function: str = ""
    queries: str = ""
    stubs: tuple[str, ...] = ()
    imports: Mapping[str, str] = field(default_factory=dict, compare=False)
    compilers: tuple[tuple[str, ...], ...] = ()
    checkers: tuple[tuple[str, ...], ...] = ()
    examples: str = ""
    runner: tuple[str, ...] = ()
    types: str = ""
    tests: Tests | None = None


PLAIN: Final = Language(id="plaintext", name="Plain Text", lsp_ids=("plaintext", "text"))


class Languages:
    """All known languages, with their grammars and queries once somebody asked for them."""

    def __init__(self, languages: Iterable[Language], directory: Path) -> None:
        self._directory = directory
        self._by_id = {language.id: language for language in (PLAIN, *languages)}
        everyone = self._by_id.values()
        self._by_lsp_id = {name: one for one in everyone for name in one.lsp_ids}
        self._by_extension = {end: one for one in everyone for end in one.extensions}
        self._by_filename = {name: one for one in everyone for name in one.filenames}
        self._grammars: dict[str, Grammar | None] = {}
        self._queries: dict[tuple[str, str], Query | None] = {}

    @classmethod
    def load(cls, directory: Path | None = None) -> Languages:
        """Read every language.toml: 3 ms for two dozen. A bad file is a bug and raises."""
        root = _grammars_directory() if directory is None else directory
        folders = sorted((one for one in root.iterdir() if one.is_dir()), key=lambda one: one.name)
        return cls((_read(folder) for folder in folders), root)

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_id.values())

    def get(self, language_id: str) -> Language:
        """Return a language by its own id, or plain text."""
        return self._by_id.get(language_id, PLAIN)

    def for_document(self, language_id: str, uri_or_path: str) -> Language:
        """Return what an editor calls ``language_id``, else what the file's name says."""
        language = self._by_lsp_id.get(language_id.lower())
        if language is not None and language is not PLAIN:
            return language
        return self.for_path(uri_or_path)

    def for_path(self, uri_or_path: str) -> Language:
        """Return the language of a file by its name or its longest known extension."""
        path = unquote(urlsplit(uri_or_path).path) if "://" in uri_or_path else uri_or_path
        name = PurePosixPath(path.replace("\\", "/")).name
        if name in self._by_filename:
            return self._by_filename[name]
        parts = name.lower().split(".")
        endings = ("." + ".".join(parts[i:]) for i in range(1, len(parts)))
        return next((self._by_extension[e] for e in endings if e in self._by_extension), PLAIN)

    def grammar(self, language: Language) -> Grammar | None:
        """Return the tree-sitter grammar; None if there is none or its package is missing.

        The first call imports the package: 0.3 ms, 10 ms at most while it is still on disk only.
        A failed one is logged once.
        """
        if language.id not in self._grammars:
            self._grammars[language.id] = _load_grammar(language)
        return self._grammars[language.id]

    def query(self, language: Language, name: str) -> Query | None:
        """Return the query in ``<name>.scm``; None without such a file or without a grammar.

        The first call compiles it and keeps the GIL for it: 1 to 10 ms for most languages, 20 for
        C#, 30 for SQL, 40 for C++; it grows with the grammar, not with the query. So ask once when
        a file is opened, not when a key is pressed. Raises `tree_sitter.QueryError` if the file
        has a bug.
        """
        key = (language.id, name)
        if key not in self._queries:
            self._queries[key] = self._load_query(language, name)
        return self._queries[key]

    def program(self, language: Language, name: str) -> Path | None:
        """Return the program ``name`` in the language's folder, if it has one."""
        return next((self._directory / language.queries).glob(f"{name}.*"), None)

    def _load_query(self, language: Language, name: str) -> Query | None:
        file = self._directory / language.queries / f"{name}.scm"
        grammar = self.grammar(language)
        if grammar is None or not file.is_file():
            return None
        from tree_sitter import Query  # noqa: PLC0415  (a lazy import, see above)

        return Query(grammar, file.read_text(encoding="utf-8"))


def _grammars_directory() -> Path:
    """Return `fimble/grammars` where a wheel is installed, `grammars` beside `server` if not."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "grammars"
    return installed if installed.is_dir() else package.parents[1] / "grammars"


def _read(folder: Path) -> Language:
    """Return the language a folder describes."""
    fields: dict[str, Any] = tomllib.loads((folder / "language.toml").read_text(encoding="utf-8"))
    doc = fields.pop("doc_comment", None)
    grammar = fields.pop("grammar", {})
    tests = fields.pop("tests", None)
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return Language(
        id=folder.name,
        queries=fields.pop("queries", folder.name),
        block_style=BlockStyle(fields.pop("block_style")),
        doc_comment=DocComment(place=DocPlace(doc.pop("place")), **doc) if doc else None,
        grammar_package=grammar.get("package", ""),
        grammar_function=grammar.get("function", ""),
        tests=_tests(tests) if tests else None,
        **(fields | lists),
    )


def _tests(fields: dict[str, Any]) -> Tests:
    """Return how tests are written; what is said above the frameworks counts for all of them."""
    frameworks, own = fields.pop("frameworks"), {one.name for one in dataclass_fields(Framework)}
    shared = {key: fields.pop(key) for key in own & fields.keys()}
    made = tuple(Framework(**_with_tuples(shared | one)) for one in frameworks)
    return Tests(frameworks=made, **_with_tuples(fields))


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in fields.items()}


def _load_grammar(language: Language) -> Grammar | None:
    if not language.grammar_package:
        return None
    try:
        module = importlib.import_module(language.grammar_package.replace("-", "_"))
    except ImportError:
        log.warning(
            "%s files are treated as plain text: the package %s is not installed.",
            language.name,
            language.grammar_package,
        )
        return None
    from tree_sitter import Language as Grammar  # noqa: PLC0415  (a lazy import, see above)

    return Grammar(getattr(module, language.grammar_function)())
