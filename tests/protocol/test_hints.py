"""Hints of a review as editors see them: shown, taken up, and taken back."""

URI = "file:///a.py"
TEXT = "def count(n):\n    bits = 0\n    while n:\n        n ^= n - 1\n    return bits\n"
DOUBTS = {"^": "&", "0": "1"}
ANSWERS = {"        n ": "&= n - 1\n", "bits = ": "1\n"}


async def reviewed(editor):
    """Shows the hints of the function: the worse comes first."""
    await editor.initialize()
    editor.open(URI, TEXT)
    await editor.flush()
    at = TEXT.index("bits")
    [action] = await editor.code_actions(URI, at, at, only=["source.fimble.review"])
    resolved = await editor.request("codeAction/resolve", action)
    assert "edit" not in resolved
    await editor.until(published)
    return published(editor)


def published(editor):
    """The diagnostics that the server sent last."""
    return editor.diagnostics.get(URI)


def lines(editor):
    return [one["range"]["start"]["line"] for one in published(editor)]


async def test_a_hint_is_shown_and_its_fix_takes_it_back(scripted):
    async with scripted(ANSWERS, doubts=DOUBTS) as editor:
        hints = await reviewed(editor)
        assert lines(editor) == [1, 3]
        assert {(one["severity"], one["source"]) for one in hints} == {(4, "fimble")}
        at = TEXT.index("^")
        [fix] = await editor.code_actions(URI, at, at, diagnostics=hints, only=["quickfix"])
        assert fix["title"] == "Change to: &= n - 1"
        assert fix["diagnostics"] == [hints[1]]
        resolved = await editor.request("codeAction/resolve", fix)
        editor.apply(resolved["edit"])
        assert editor.text(URI) == TEXT.replace("^", "&")
        await editor.flush()
        assert lines(editor) == [1]


async def test_an_edit_elsewhere_moves_hints_and_one_on_the_line_takes_them_back(scripted):
    async with scripted(ANSWERS, doubts=DOUBTS) as editor:
        await reviewed(editor)
        editor.edit(URI, 0, 0, "import re\n")
        editor.type_text(URI, editor.text(URI).index(" 0"), "1")
        await editor.flush()
        assert lines(editor) == [4]


async def test_hints_go_when_the_file_closes(scripted):
    async with scripted(ANSWERS, doubts=DOUBTS) as editor:
        await reviewed(editor)
        editor.close_document(URI)
        await editor.flush()
        assert published(editor) == []


async def test_nothing_unexpected_is_said(scripted):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        editor.open(URI, TEXT)
        await editor.flush()
        [action] = await editor.code_actions(URI, 0, 0, only=["source"])
        await editor.request("codeAction/resolve", action)
        assert editor.messages == ["Fimble: Nothing here is unexpected."]
        assert published(editor) == []
