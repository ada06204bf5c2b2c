"""Accepting, typing and leaving suggestions ends in figures, whatever the editor; never in code."""

from pathlib import Path

from fimble.history import FILE_NAME, History

URI = "file:///a.py"
BODY = "def add(secret_a, b):\n    return "
ANSWERS = {"return ": "secret_a + b"}


def history(environment):
    return History(Path(environment["FIMBLE_CACHE_DIR"]) / FILE_NAME)


async def suggested(editor):
    editor.open(URI, BODY)
    await editor.flush()
    [suggestion] = await editor.inline_completion(URI, len(BODY))
    return suggestion


async def test_outcomes_are_counted_and_no_code_is_kept(scripted, environment):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        editor.accept(await suggested(editor))
        editor.close_document(URI)
        suggestion = await suggested(editor)
        editor.type_text(URI, suggestion.start, "x")
        editor.close_document(URI)
        await suggested(editor)
        editor.close_document(URI)
        await editor.flush()
        await editor.shut_down()
    tally = history(environment).tallies()["python"]
    assert (tally.shown, tally.accepted, tally.rejected, tally.survived) == (3, 1, 2, 1.0)
    assert b"secret" not in history(environment).file.read_bytes()


async def test_a_suggestion_that_is_typed_along_is_one(scripted, environment):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        suggestion = await suggested(editor)
        end = suggestion.start
        for letter in suggestion.text[:-1]:
            end = editor.type_text(URI, end, letter)
            assert await editor.inline_completion(URI, end)
        editor.type_text(URI, end, suggestion.text[-1])
        await editor.flush()
        await editor.shut_down()
    tally = history(environment).tallies()["python"]
    assert (tally.shown, tally.typed) == (1, 1)


async def test_it_can_be_switched_off(scripted, environment):
    async with scripted(ANSWERS) as editor:
        await editor.initialize(options={"history": False})
        editor.accept(await suggested(editor))
        await editor.shut_down()
    assert not history(environment).file.exists()
