"""The VS Code extension declares the settings, keys and commands that there are."""

import json
import runpy
from pathlib import Path

from fimble.features.complete import Reason
from fimble.settings import _TRUSTED_KEYS, read

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "editors" / "vscode"
TEXT = (EXTENSION / "package.json").read_text(encoding="utf-8")
PACKAGE = json.loads(TEXT)
CONTRIBUTES = PACKAGE["contributes"]


def declared():
    return CONTRIBUTES["configuration"][1]["properties"]


def test_the_settings_are_what_the_schema_says():
    script = runpy.run_path(str(ROOT / "scripts" / "vscode.py"))
    assert script["with_settings"](TEXT) == TEXT, "run `make fix`"


def test_every_declared_default_is_the_servers():
    for name, declaration in declared().items():
        value = declaration["default"]
        for key in reversed(name.split(".")[1:]):
            value = {key: value}
        settings, problems = read(value)
        assert problems == (), name
        assert settings == read({})[0], name


def test_what_a_workspace_may_not_decide_is_restricted():
    names = [name for group in CONTRIBUTES["configuration"] for name in group["properties"]]
    restricted = PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) <= set(names)
    assert {f"fimble.{name}" for name in ("model", *_TRUSTED_KEYS)} <= set(restricted)


def test_the_machine_and_not_a_workspace_names_the_programs():
    trust = PACKAGE["capabilities"]["untrustedWorkspaces"]
    assert trust["supported"] == "limited"
    for name in ("fimble.server.path", "fimble.server.python"):
        declaration = CONTRIBUTES["configuration"][0]["properties"][name]
        assert declaration["scope"] == "machine-overridable"
        assert name in trust["restrictedConfigurations"]


def test_it_runs_where_the_files_are():
    assert PACKAGE["extensionKind"] == ["workspace"]
    assert PACKAGE["capabilities"]["virtualWorkspaces"]["supported"] == "limited"


def test_no_key_steals_tab():
    assert [one["key"] for one in CONTRIBUTES["keybindings"] if "tab" in one["key"]] == []


def test_every_command_is_registered_and_every_key_documented():
    source = (EXTENSION / "src" / "commands.ts").read_text(encoding="utf-8")
    names = [one["command"].removeprefix("fimble.") for one in CONTRIBUTES["commands"]]
    assert [name for name in names if f'register("{name}"' not in source] == []
    readme = (EXTENSION / "README.md").read_text(encoding="utf-8").lower()
    assert [one["key"] for one in CONTRIBUTES["keybindings"] if one["key"] not in readme] == []


def test_every_reason_has_a_sentence():
    source = (EXTENSION / "src" / "explain.ts").read_text(encoding="utf-8")
    assert [reason for reason in Reason if f"  {reason}: " not in source] == []
