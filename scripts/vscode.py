# ruff: noqa: INP001  (a script, not a package)
"""Writes the settings into the VS Code extension, from the schema that the server reads them by."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fimble.settings import schema

PACKAGE = Path(__file__).parents[1] / "editors" / "vscode" / "package.json"
TITLE = "Fimble"


def properties() -> dict[str, dict[str, Any]]:
    """Return the settings as VS Code wants them declared: flat, with full names."""
    definitions = schema()["$defs"]
    return dict(fields(definitions["Settings"], definitions, "fimble."))


def fields(
    group: dict[str, Any], definitions: dict[str, Any], prefix: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and declaration of each setting in a group and the groups within."""
    for name, field in group["properties"].items():
        if "$ref" in field:
            inner = definitions[field["$ref"].rpartition("/")[2]]
            yield from fields(inner, definitions, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", declaration(field, definitions)


def declaration(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return one setting's declaration.

    VS Code shows a form only for a plain list of types, and descriptions may hold code.
    """
    rest = {key: value for key, value in field.items() if key not in {"anyOf", "description"}}
    for one in field.get("anyOf", ()):
        rest |= {key: value for key, value in one.items() if key != "type"}
    if "anyOf" in field:
        rest["type"] = [one["type"] for one in field["anyOf"]]
    if "enum" in field:
        rest["type"] = "string"
    if "$ref" in field.get("items", ()):
        rest["items"] = definitions[field["items"]["$ref"].rpartition("/")[2]]
    return dict(sorted(rest.items())) | {"markdownDescription": field["description"]}


def with_settings(text: str) -> str:
    """Return the extension's package.json with the settings as they should be."""
    package = json.loads(text)
    for group in package["contributes"]["configuration"]:
        if group["title"] == TITLE:
            group["properties"] = properties()
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PACKAGE.write_text(with_settings(PACKAGE.read_text(encoding="utf-8")), encoding="utf-8")
