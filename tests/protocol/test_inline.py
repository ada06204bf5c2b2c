"""Inline completion as an editor sees it: text follows edits, stale work is dropped."""

import pytest

from fimble.protocol.client import ServerFailure

URI = "file:///a.py"
BODY = "def add(a, b):\n    return "
ANSWERS = {"return ": "a + b"}
NEVER_MS = 3_600_000
CANCELLED = -32800


async def reason(editor):
    return (await editor.explain_last())[0]["reason"]


async def waiting(editor, text=BODY):
    """An editor that asked at the end of ``text`` and waits for an engine that takes for ever."""
    await editor.initialize()
    editor.open(URI, text)
    await editor.flush()
    return editor.ask_inline_completion(URI, len(text))


async def test_a_suggestion_is_shown_accepted_and_explained(scripted):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        await editor.flush()
        [suggestion] = await editor.inline_completion(URI, len(BODY))
        end = editor.accept(suggestion)
        assert editor.text(URI) == BODY + "a + b"
        assert await editor.inline_completion(URI, end) == []
        empty, shown = await editor.explain_last(2)
        assert (shown["reason"], empty["reason"]) == ("shown", "empty")
        assert shown["position"] == {"line": 1, "character": 11}
        assert shown["trace"]["promptTokens"] > 0
        assert 0 <= shown["outsideMs"] <= shown["totalMs"]


async def test_what_was_just_opened_is_judged_by_its_syntax(scripted):
    """Its tree is made in the background, but a request may come before that."""
    async with scripted({"return ": "a + )"}) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        assert await editor.inline_completion(URI, len(BODY)) == []
        assert await reason(editor) == "parse"


async def test_the_server_follows_every_kind_of_change(scripted):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        editor.open(URI, "zzz\r\n")
        await editor.flush()
        editor.edit(URI, 0, 3, "def f(a, b):")
        end = editor.type_text(URI, len(editor.text(URI)), "    retur_")
        editor.edit(URI, end - 1, end, "n ")
        text = editor.text(URI)
        assert [one.text for one in await editor.inline_completion(URI, len(text))] == ["a + b"]
        editor.replace_all(URI, "# nothing")
        assert await editor.inline_completion(URI, 9) == []
        editor.replace_all(URI, BODY)
        assert [one.text for one in await editor.inline_completion(URI, len(BODY))] == ["a + b"]


async def test_a_place_outside_the_text_is_moved_into_it(scripted):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        await editor.flush()
        for place in ({"line": 1, "character": 999}, {"line": 999, "character": 0}):
            params = {
                "textDocument": {"uri": URI},
                "position": place,
                "context": {"triggerKind": 1},
            }
            result = await editor.request("textDocument/inlineCompletion", params)
            start = {"line": 1, "character": 11}
            assert result["items"][0]["range"] == {"start": start, "end": start}


async def test_unknown_documents_are_refused_and_survived(scripted):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        identifier = {"uri": "file:///unknown.py", "version": 1}
        changes = {"textDocument": identifier, "contentChanges": [{"text": "x"}]}
        editor.notify("textDocument/didChange", changes)
        editor.notify("textDocument/didClose", {"textDocument": identifier})
        editor.notify("textDocument/didSave", {"textDocument": identifier})
        editor.open(URI, BODY)
        editor.close_document(URI, forget=False)
        with pytest.raises(ServerFailure, match="not open"):
            await editor.inline_completion(URI, 0)
        editor.open(URI, BODY)
        await editor.flush()
        assert await editor.inline_completion(URI, len(BODY))
        assert editor.messages == []


async def test_changes_with_odd_versions_and_ranges_are_survived(scripted):
    async with scripted(ANSWERS) as editor:
        await editor.initialize()
        editor.open(URI, "x\n")
        await editor.flush()
        backwards = {"start": {"line": 9, "character": 9}, "end": {"line": 0, "character": 0}}
        changes = [{"range": backwards, "text": BODY}]
        identifier = {"uri": URI, "version": -5}
        editor.notify(
            "textDocument/didChange", {"textDocument": identifier, "contentChanges": changes}
        )
        editor.replace_all(URI, f"x\n{BODY}")
        assert await editor.inline_completion(URI, len(editor.text(URI)))


async def test_a_change_makes_the_answer_stale(scripted):
    async with scripted(ANSWERS, delay_ms=NEVER_MS) as editor:
        _, answer = await waiting(editor)
        editor.type_text(URI, len(BODY), "x")
        assert await editor.wait(answer) is None
        assert await reason(editor) == "stale"


async def test_closing_the_document_makes_the_answer_stale(scripted):
    async with scripted(ANSWERS, delay_ms=NEVER_MS) as editor:
        _, answer = await waiting(editor)
        editor.close_document(URI)
        assert await editor.wait(answer) is None
        assert await reason(editor) == "stale"


async def test_a_cancelled_request_gets_one_answer(scripted):
    async with scripted(ANSWERS, delay_ms=NEVER_MS) as editor:
        request_id, answer = await waiting(editor)
        editor.cancel(request_id)
        with pytest.raises(ServerFailure) as caught:
            await editor.wait(answer)
        assert caught.value.code == CANCELLED
        assert await reason(editor) == "cancelled"
        editor.type_text(URI, len(BODY), "x")
        await editor.flush()
        assert editor.unexpected == []


async def test_shutdown_with_a_request_under_way_answers_both(scripted):
    async with scripted(ANSWERS, delay_ms=NEVER_MS) as editor:
        _, answer = await waiting(editor)
        assert await editor.shut_down() == 0
        assert answer.done()
        assert answer.exception() is None or answer.exception().code == CANCELLED


async def test_a_typist_gets_an_answer_to_every_request(scripted):
    async with scripted(ANSWERS, delay_ms=1) as editor:
        await editor.initialize()
        editor.open(URI, "")
        await editor.flush()
        asked, offset = [], 0
        for character in BODY:
            offset = editor.type_text(URI, offset, character)
            asked.append(editor.ask_inline_completion(URI, offset))
            if len(asked) % 3 == 0:
                editor.cancel(asked[-1][0])
        last = await editor.wait(asked[-1][1])
        assert last["items"][0]["insertText"] == "a + b"
        await editor.flush()
        assert all(answer.done() for _, answer in asked)
        assert [answer.exception() for _, answer in asked[2::3]].count(None) == 0
        assert editor.unexpected == []


async def test_disabled_languages_get_nothing(scripted):
    settings = {"completion": {"disabledLanguages": ["python"]}}
    async with scripted(ANSWERS, settings=settings) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        await editor.flush()
        assert await editor.inline_completion(URI, len(BODY)) == []
        assert await reason(editor) == "disabled"


async def test_the_next_line_is_prepared_while_the_suggestion_is_read(scripted):
    answers = {"return ": "a + b\n", "a + b\n    ": "# and then\n"}
    async with scripted(answers) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        await editor.flush()
        [suggestion] = await editor.inline_completion(URI, len(BODY))
        await editor.flush()
        end = editor.accept(suggestion)
        end = editor.type_text(URI, end, "\n    ")
        [following] = await editor.inline_completion(URI, end)
        assert following.text == "# and then"
        [last] = await editor.explain_last()
        assert last["detail"] == "typed along"
        assert last["trace"]["promptTokens"] == 0


async def ask_with(editor, text, context):
    await editor.initialize()
    editor.open(URI, text)
    await editor.flush()
    params = {
        "textDocument": {"uri": URI},
        "position": editor.position(editor.documents[URI], len(text)),
        "context": context,
    }
    return await editor.request("textDocument/inlineCompletion", params)


async def test_asked_by_hand_there_are_three_to_choose_from(scripted):
    others = {"a + b": ["a - b", "a + b", "b"]}
    async with scripted(ANSWERS, others=others) as editor:
        result = await ask_with(editor, BODY, {"triggerKind": 1})
        assert [one["insertText"] for one in result["items"]] == ["a + b", "a - b", "b"]


async def test_a_selected_item_is_what_the_suggestion_begins_with(scripted):
    start, end = {"line": 1, "character": 4}, {"line": 1, "character": 7}
    info = {"range": {"start": start, "end": end}, "text": "return "}
    context = {"triggerKind": 2, "selectedCompletionInfo": info}
    async with scripted(ANSWERS) as editor:
        result = await ask_with(editor, BODY.removesuffix("urn "), context)
        [item] = result["items"]
        assert item["insertText"] == "return a + b"
        assert item["range"] == {"start": start, "end": end}


async def test_nothing_to_say_after_the_selected_item(scripted):
    place = {"line": 0, "character": 0}
    info = {"range": {"start": place, "end": place}, "text": "retire"}
    async with scripted(ANSWERS) as editor:
        context = {"triggerKind": 2, "selectedCompletionInfo": info}
        assert await ask_with(editor, "", context) is None
        assert await reason(editor) == "empty"


async def test_typing_what_is_being_written_waits_for_its_rest_only(scripted):
    async with scripted(ANSWERS, delay_ms=40) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        await editor.flush()
        _, first = editor.ask_inline_completion(URI, len(BODY))
        await editor.explain_last()  # so that it is on its way before the key comes
        end = editor.type_text(URI, len(BODY), "a")
        [rest] = await editor.inline_completion(URI, end)
        assert rest.text == " + b"
        assert await first is None
        rest, stale = await editor.explain_last(2)
        assert (stale["reason"], rest["detail"]) == ("stale", "was on its way")


async def test_typing_something_else_asks_anew(scripted):
    async with scripted({**ANSWERS, "return z": " + 1"}, delay_ms=40) as editor:
        await editor.initialize()
        editor.open(URI, BODY)
        await editor.flush()
        _, first = editor.ask_inline_completion(URI, len(BODY))
        await editor.explain_last()  # so that it is on its way before the key comes
        end = editor.type_text(URI, len(BODY), "z")
        [other] = await editor.inline_completion(URI, end)
        assert other.text == " + 1"
        assert await first is None
