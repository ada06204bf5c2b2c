"""A block that takes long: its first lines come at once, to clients that ask again for the rest."""

import pytest

from fimble.protocol.client import ASKS_AGAIN, CAPABILITIES

URI = "file:///a.py"
HEAD = "def total_of(values):"
LINES = [f"\n    s{at} = v[{at}] + w" for at in range(10)]
"""Nine of the fake's tokens each: in 0.75 s it writes eight of them, and begins another."""
FIRST, WHOLE = "".join(LINES[:9]), "".join(LINES)


@pytest.fixture
def growing(scripted):
    def make(capabilities=ASKS_AGAIN):
        answers = {HEAD: WHOLE + "\n\n\n"}
        return scripted(answers, delay_ms=4, capabilities=capabilities)

    return make


async def first_lines(editor, below=""):
    await editor.initialize()
    editor.open(URI, HEAD + below)
    await editor.flush()
    [suggestion] = await editor.inline_completion(URI, len(HEAD))
    return suggestion


async def test_the_first_lines_come_first_and_the_rest_is_told(growing):
    async with growing() as editor:
        assert (await first_lines(editor)).text == FIRST
        assert (await editor.explain_last())[0]["detail"] == "goes on"
        assert editor.grown == []
        await editor.flush()
        assert editor.grown == [URI]
        [suggestion] = await editor.inline_completion(URI, len(HEAD))
        assert suggestion.text == WHOLE
        last = (await editor.explain_last())[0]
        assert (last["detail"], last["trace"]["promptTokens"]) == ("typed along", 0)


async def test_a_client_that_does_not_ask_again_gets_all_at_once(growing):
    async with growing(CAPABILITIES) as editor:
        assert (await first_lines(editor)).text == WHOLE
        await editor.flush()
        assert editor.grown == []


async def test_the_first_lines_can_be_typed_along_while_the_rest_is_written(growing):
    async with growing() as editor:
        await first_lines(editor)
        end = editor.type_text(URI, len(HEAD), FIRST[:9])
        [suggestion] = await editor.inline_completion(URI, end)
        assert suggestion.text == FIRST[9:]
        await editor.flush()
        assert editor.grown == [URI]
        [suggestion] = await editor.inline_completion(URI, end)
        assert suggestion.text == WHOLE[9:]


async def test_who_types_on_before_the_first_lines_are_there_gets_their_rest(growing):
    async with growing() as editor:
        await editor.initialize()
        editor.open(URI, HEAD)
        await editor.flush()
        _, stale = editor.ask_inline_completion(URI, len(HEAD))
        await editor.explain_last()  # so that it is on its way before the key comes
        end = editor.type_text(URI, len(HEAD), FIRST[:1])
        [suggestion] = await editor.inline_completion(URI, end)
        assert suggestion.text == FIRST[1:]
        assert await stale is None
        await editor.flush()
        assert editor.grown == [URI]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_accepting_the_first_lines_leads_to_the_rest(growing, at_once, newline):
    async with growing() as editor:
        below = f"{newline}{newline}x = 1{newline}"
        end = editor.accept(await first_lines(editor, below))
        if not at_once:
            await editor.flush()
        [suggestion] = await editor.inline_completion(URI, end)
        assert FIRST + suggestion.text.replace("\r\n", "\n") == WHOLE
        assert editor.text(URI) == HEAD + FIRST.replace("\n", newline) + below
        rest = (await editor.explain_last())[0]
        assert rest["detail"] in {"was on its way", "typed along"}


async def test_another_document_does_not_end_it(growing):
    async with growing() as editor:
        await first_lines(editor)
        editor.open("file:///b.py", "x = 1")
        editor.type_text("file:///b.py", 5, "0")
        editor.close_document("file:///b.py")
        await editor.flush()
        assert editor.grown == [URI]


async def test_typing_something_else_ends_it(growing):
    async with growing() as editor:
        await first_lines(editor)
        editor.type_text(URI, len(HEAD), "  # not that")
        await editor.flush()
        assert editor.grown == []
        assert editor.unexpected == []
