# ruff: noqa: INP001  (a script, not a package)
"""Writes the table of settings into README.md, from the schema that the server reads them by."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fimble.settings import schema

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def table() -> str:
    """Return the settings as a Markdown table."""
    definitions = schema()["$defs"]
    head = "| setting | values | default | |\n|---|---|---|---|\n"
    return head + "".join(rows(definitions["Settings"], definitions))


def rows(group: dict[str, Any], definitions: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a line for each setting; groups of settings are written with dots."""
    for name, field in group["properties"].items():
        if "$ref" in field:
            inner = definitions[field["$ref"].rpartition("/")[2]]
            yield from rows(inner, definitions, f"{prefix}{name}.")
        else:
            default = json.dumps(field["default"])
            yield f"| `{prefix}{name}` | {values(field)} | `{default}` | {field['description']} |\n"


def values(field: dict[str, Any]) -> str:
    """Say what may be set."""
    if "anyOf" in field:
        return " or ".join(values(one) for one in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{json.dumps(one)}`" for one in field["enum"])
    if field["type"] == "array":
        return (
            "list of tables" if "$ref" in field["items"] else f"list of {values(field['items'])}s"
        )
    if field["type"] == "object":
        return f"table of {values(field['additionalProperties'])}"
    if "minimum" in field:
        return f"{field['minimum']} to {field['maximum']}"
    return str(field["type"])


def with_table(text: str) -> str:
    """Return the README with the table as it should be."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
