"""Notebooks: cells come and go, and each completes with what stands in the cells above it."""

from fimble.protocol.client import CAPABILITIES

NOTEBOOK = "file:///shop/prices.ipynb"
FIRST = "def circle_area(radius):\n    return 3.14 * radius ** 2"
LAST = "total = "


def uri(name):
    return f"vscode-notebook-cell:/shop/prices.ipynb#{name}"


def cell(name):
    return {"kind": 2, "document": uri(name)}


def item(name, text, language="python"):
    return {"uri": uri(name), "languageId": language, "version": 1, "text": text}


def open_notebook(editor, **texts):
    """Open a notebook of Python cells; a name that begins with `m` is one of Markdown."""
    languages = {name: "markdown" if name.startswith("m") else "python" for name in texts}
    editor.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": NOTEBOOK,
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [cell(name) for name in texts],
            },
            "cellTextDocuments": [
                item(name, text, languages[name]) for name, text in texts.items()
            ],
        },
    )


def change(editor, **cells):
    notebook = {"uri": NOTEBOOK, "version": 2}
    params = {"notebookDocument": notebook, "change": {"cells": cells}}
    editor.notify("notebookDocument/didChange", params)


async def suggested(editor, name, line, character):
    params = {
        "textDocument": {"uri": uri(name)},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1},  # made anew, whatever was shown before
    }
    await editor.flush()
    answer = await editor.request("textDocument/inlineCompletion", params)
    return [one["insertText"] for one in (answer or {"items": []})["items"]]


async def test_notebooks_are_wanted(scripted):
    capable = CAPABILITIES | {"notebookDocument": {"synchronization": {}}}
    async with scripted(capabilities=capable) as editor:
        await editor.initialize()
        sync = editor.server_capabilities["notebookDocumentSync"]
        assert sync["notebookSelector"] == [{"notebook": "*"}]


async def test_a_cell_is_completed_with_the_cells_above_it(scenario):
    async with scenario("telling") as editor:
        await editor.initialize()
        open_notebook(editor, a=FIRST, m="# disc_area", b=LAST, c="env_token = 1")
        assert await suggested(editor, "b", 0, len(LAST)) == ["circle_area"]
        assert await suggested(editor, "c", 0, 0) == []


async def test_cells_are_edited_inserted_and_deleted(scenario):
    async with scenario("telling") as editor:
        await editor.initialize()
        open_notebook(editor, a=FIRST, b=LAST)
        assert await suggested(editor, "b", 0, len(LAST)) == ["circle_area"]
        edit = {"document": {"uri": uri("a"), "version": 2}}
        change(editor, textContent=[edit | {"changes": [{"text": "disc_area = 1"}]}])
        assert await suggested(editor, "b", 0, len(LAST)) == ["disc_area"]
        change(
            editor,
            structure={
                "array": {"start": 1, "deleteCount": 0, "cells": [cell("n")]},
                "didOpen": [item("n", FIRST)],
            },
        )
        assert await suggested(editor, "b", 0, len(LAST)) == ["circle_area + disc_area"]
        change(
            editor,
            structure={
                "array": {"start": 0, "deleteCount": 1},
                "didClose": [{"uri": uri("a")}],
            },
        )
        assert await suggested(editor, "b", 0, len(LAST)) == ["circle_area"]


async def test_a_notebook_that_was_closed_is_forgotten(scenario):
    async with scenario("telling") as editor:
        await editor.initialize()
        open_notebook(editor, a=FIRST)
        editor.notify(
            "notebookDocument/didClose",
            {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": [{"uri": uri("a")}]},
        )
        editor.open(uri("a"), LAST)
        assert await suggested(editor, "a", 0, len(LAST)) == ["nothing"]
