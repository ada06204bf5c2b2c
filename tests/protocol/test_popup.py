"""The completion popup as an editor sees it, beside another server's."""

import pytest

from fimble.protocol.client import CAPABILITIES, ServerFailure

URI = "file:///a.py"
TEXT = 'def value_of(a):\n    """Say it."""\n\n\ns = "😀"; va_lue = 1; va'
MODERN = {
    "completionItem": {
        "insertReplaceSupport": True,
        "documentationFormat": ["markdown"],
        "resolveSupport": {"properties": ["documentation"]},
    }
}


def capabilities(completion=None, encodings=("utf-16",)):
    documents = dict(CAPABILITIES["textDocument"]) | {"completion": completion or {}}
    return dict(CAPABILITIES) | {
        "textDocument": documents,
        "general": {"positionEncodings": list(encodings)},
    }


async def opened(editor, text=TEXT, **client):
    editor.capabilities = capabilities(**client)
    answer = await editor.initialize()
    editor.open(URI, text)
    await editor.flush()
    return answer


async def popup(editor, line, character, trigger=None):
    context = {"triggerKind": 2, "triggerCharacter": trigger} if trigger else {"triggerKind": 1}
    return await editor.request(
        "textDocument/completion",
        {
            "textDocument": {"uri": URI},
            "position": {"line": line, "character": character},
            "context": context,
        },
    )


async def test_items_of_a_modern_client_are_resolved(scripted):
    async with scripted() as editor:
        await opened(editor, completion=MODERN)
        answer = await popup(editor, 4, 24)
        items = {item["label"]: item for item in answer["items"]}
        assert answer["isIncomplete"] is True
        assert set(items) == {"va_lue", "value_of"}
        item = items["value_of"]
        start, end = {"line": 4, "character": 22}, {"line": 4, "character": 24}
        edit = {"start": start, "end": end}
        assert item["textEdit"] == {"newText": "value_of", "insert": edit, "replace": edit}
        assert (item["detail"], item["kind"], item["filterText"]) == ("fimble", 3, "value_of")
        assert "documentation" not in item
        resolved = await editor.request("completionItem/resolve", item)
        assert resolved["documentation"] == {
            "kind": "markdown",
            "value": "```python\ndef value_of(a):\n```\n\nSay it.",
        }
        assert resolved["textEdit"] == item["textEdit"]


async def test_a_client_without_resolve_gets_whole_items(scripted):
    async with scripted() as editor:
        await opened(editor)
        answer = await popup(editor, 4, 24)
        for item in answer["items"]:
            assert item["textEdit"]["newText"] == item["label"]
            assert item["textEdit"]["range"]["start"] == {"line": 4, "character": 22}
        plain = await editor.request("completionItem/resolve", answer["items"][-1])
        assert plain["documentation"] == "def value_of(a):\n\nSay it."


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 26), ("utf-16", 24), ("utf-32", 23)])
async def test_columns_count_as_was_agreed(scripted, encoding, column):
    async with scripted() as editor:
        await opened(editor, encodings=(encoding,))
        answer = await popup(editor, 4, column)
        place = answer["items"][0]["textEdit"]["range"]
        assert (place["start"]["character"], place["end"]["character"]) == (column - 2, column)


async def test_the_order_is_in_the_sort_text_and_nothing_else_is_claimed(scripted):
    """Beside another server's items ours keep to themselves: no commit characters, no defaults."""
    async with scripted() as editor:
        await opened(editor)
        answer = await popup(editor, 4, 24)
        assert [item["sortText"] for item in answer["items"]] == ["0000", "0001"]
        for item in answer["items"]:
            assert not {"commitCharacters", "preselect", "command"} & item.keys()
        assert "itemDefaults" not in answer


async def test_the_shown_suggestion_is_the_first_item(scripted):
    async with scripted({"va": "_lue + 2"}) as editor:
        await opened(editor)
        [shown] = await editor.inline_completion(URI, len(TEXT))
        first, *rest = (await popup(editor, 4, 24))["items"]
        assert first["label"] == f"va{shown.text}"
        assert first["preselect"] is True
        assert first["textEdit"]["range"]["start"]["character"] == 22
        assert not any("preselect" in item for item in rest)


async def test_a_trigger_character_opens_it_after_an_operator_only(scripted):
    async with scripted() as editor:
        answer = await opened(editor, "p.top()\np.\nif x:\n")
        provider = answer["capabilities"]["completionProvider"]
        assert provider == {"triggerCharacters": [".", ":", ">"], "resolveProvider": True}
        members = await popup(editor, 1, 2, ".")
        assert [item["label"] for item in members["items"]] == ["top"]
        assert await popup(editor, 2, 5, ":") is None


async def test_it_can_be_switched_off(scripted):
    async with scripted() as editor:
        await editor.initialize(options={"completion": {"items": "off"}})
        editor.open(URI, TEXT)
        await editor.flush()
        assert await popup(editor, 4, 24) is None


async def test_a_document_that_is_not_open_is_refused(scripted):
    async with scripted() as editor:
        await editor.initialize()
        with pytest.raises(ServerFailure, match="not open"):
            await popup(editor, 0, 0)


async def test_names_come_while_the_model_loads(scripted):
    async with scripted(state="loading") as editor:
        await editor.initialize()
        editor.open(URI, TEXT)
        assert (await popup(editor, 4, 24))["items"]


async def test_a_key_that_comes_meanwhile_costs_no_names(scripted):
    """VS Code takes an empty list for the last word, even one that is not complete."""
    async with scripted() as editor:
        await opened(editor)
        asked = {"textDocument": {"uri": URI}, "position": {"line": 4, "character": 24}}
        _, answer = editor.ask("textDocument/completion", asked)
        editor.type_text(URI, len(TEXT), "lue")
        items = (await answer)["items"]
        assert {item["label"] for item in items} == {"va_lue", "value_of"}
        assert items[0]["textEdit"]["range"]["end"] == {"line": 4, "character": 24}
