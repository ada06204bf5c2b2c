import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "server" / "fimble"
INTERFACE = ("engine.base", "engine.messages", "engine.client")
EVERYTHING = ("",)

# Who may import whom inside the house; the first component of a module is its room. Everybody may
# import errors and its own room. Imports under TYPE_CHECKING count: a type is a dependency too.
ROOMS = {
    "__init__": (),
    "__main__": ("cli",),
    "cli": EVERYTHING,
    "measure": EVERYTHING,
    "errors": (),
    "settings": (),
    "history": (),
    "source": (),
    "engine": (),
    "models": (),
    "session": ("source", "settings"),
    "prompt": ("source", "engine.messages"),
    "check": ("source",),
    "features": ("prompt", "check", "source", "settings", *INTERFACE),
    "protocol": ("session", "features", "settings", "history", "source", *INTERFACE),
    "launch": ("engine", "models", "settings"),
}

# Foreign worlds and their one door.
DOORS = {
    "pygls": ("protocol",),
    "lsprotocol": ("protocol",),
    "llama_cpp": ("engine.llama",),
    "tree_sitter": ("source",),
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports(path: Path) -> Iterator[str]:
    """The absolute names a module imports, wherever in it; relative ones are refused elsewhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def within(name: str, prefix: str) -> bool:
    return prefix in ("", name) or name.startswith(f"{prefix}.")


def offences(module: str, names: Iterator[str]) -> list[str]:
    room = module.split(".", maxsplit=1)[0]
    allowed = (*ROOMS[room], "errors", room, "__version__")
    found = []
    for name in names:
        head, _, inner = name.partition(".")
        if head == "fimble" and not any(within(inner, prefix) for prefix in allowed):
            found.append(f"{module} imports {name}")
        doors = next((DOORS[world] for world in DOORS if head == world), EVERYTHING)
        if not any(within(module, door) for door in doors):
            found.append(f"{module} imports {name}")
    return found


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    assert module.split(".")[0] in ROOMS, f"{module} is in no room of the house"
    assert offences(module, imports(MODULES[module])) == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("source.text", "fimble.session.Session"),
        ("prompt.fim", "fimble.engine.llama.Llama"),
        ("engine.worker", "fimble.models.store"),
        ("models.store", "fimble.settings.Settings"),
        ("features.complete", "fimble.session.Session"),
        ("features.complete", "fimble.engine.worker"),
        ("session", "lsprotocol.types"),
        ("engine.worker", "llama_cpp"),
        ("check.parse", "tree_sitter.Tree"),
        ("settings", "fimble.sourcery.x"),
        ("source.text", "fimble.cli"),
    ],
)
def test_the_check_sees_what_is_forbidden(module, name):
    assert offences(module, iter([name])) == [f"{module} imports {name}"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("features.complete", "fimble.engine.base.Engine"),
        ("engine.llama", "llama_cpp"),
        ("models.store", "fimble.errors.DiskFull"),
        ("source.tree", "tree_sitter.Parser"),
        ("measure.bench", "fimble.engine.worker"),
        ("protocol.server", "fimble.__version__"),
        ("source.text", "tree_sitter_python"),
    ],
)
def test_the_check_lets_the_rest_pass(module, name):
    assert offences(module, iter([name])) == []


def test_imports_are_found_wherever_they_are(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fimble.engine import llama\n"
        "def f():\n    import pygls.server as s\n"
    )
    assert set(imports(file)) == {
        "typing.TYPE_CHECKING",
        "fimble.engine.llama",
        "pygls.server",
    }
