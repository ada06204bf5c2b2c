import asyncio
from dataclasses import replace

import pytest

from fimble.engine.messages import State
from fimble.engine.scripted import Script, ScriptedEngine, size
from fimble.errors import EngineDown, ModelMissing, PromptTooLong
from fimble.features.ahead import better_anchor
from fimble.features.choices import Selected, beyond, choices
from fimble.features.complete import Reason, complete
from fimble.features.memory import Memory
from fimble.features.windows import read_ahead, warm
from fimble.settings import DEFAULTS, read
from goldens import CURSOR, LANGUAGES, load, show, snapshot_of


def engine(answer="", **script):
    """An engine that is ready and always gives the same answer."""
    made = ScriptedEngine(Script(default=answer, **script))
    made.start()
    return made


def settings(**completion):
    made, errors = read({"completion": completion})
    assert not errors
    return made


async def ask(marked, answer, *, name="a.py", memory=None, chosen=DEFAULTS, **script):
    snapshot, offset = snapshot_of(name, marked)
    return await complete(snapshot, offset, memory, engine(answer, **script), chosen)


@pytest.mark.parametrize("case", load("complete"), ids=lambda case: case.id)
async def test_complete(case, update):
    snapshot, offset = case.snapshot()

    got, memory = await complete(snapshot, offset, None, engine(case.model), DEFAULTS)

    shown = got.reason is Reason.SHOWN
    case.expect(
        show(snapshot, got.start, got.end, got.text) if shown else f"({got.reason})", update
    )
    assert bool(got.text) == shown
    assert (memory.shown is not None) == shown


async def test_half_of_what_fills_a_gap_is_not_shown(monkeypatch):
    gap = "let total = █ value;", "0;\nfor (const value of values) total += value;\n"
    whole, _ = await ask(*gap, name="a.js")
    assert whole.text == "0;\nfor (const value of values) total +="
    monkeypatch.setattr("fimble.features.complete.sure_part", lambda *_, **__: ("0;", 0.7))
    part, _ = await ask(*gap, name="a.js")
    assert part.reason is Reason.LOW_CONFIDENCE


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        (read({"enabled": False})[0], Reason.DISABLED),
        (settings(enabled=False), Reason.DISABLED),
        (settings(disabledLanguages=["python"]), Reason.DISABLED),
        (settings(disabledLanguages=["go"]), Reason.SHOWN),
        (settings(exclude=["*.py"]), Reason.DISABLED),
        (settings(exclude=["project/*"]), Reason.DISABLED),
        (settings(exclude=["/other/*"]), Reason.SHOWN),
    ],
)
async def test_settings_turn_it_off(chosen, reason):
    got, _ = await ask("x = █", "1", chosen=chosen)

    assert got.reason is reason


@pytest.mark.parametrize(
    ("marked", "chosen", "reason"),
    [
        ("# one █", settings(inComments=False), Reason.IN_COMMENT),
        ("# one █", settings(inStrings=False), Reason.SHOWN),
        ("x = 'one █'", settings(inStrings=False), Reason.IN_STRING),
        ("x = 'one █'", settings(inComments=False), Reason.SHOWN),
    ],
)
async def test_settings_for_comments_and_strings(marked, chosen, reason):
    got, _ = await ask(marked, "two", chosen=chosen)

    assert got.reason is reason


async def test_eagerness():
    doubt = {"logprob": -0.45}

    assert (await ask("x = █\ny = 0", "1 + 2", **doubt))[0].reason is Reason.LOW_CONFIDENCE
    got, _ = await ask("x = █\ny = 0", "1 + 2", chosen=settings(eagerness="eager"), **doubt)
    assert got.text == "1 + 2"


async def test_only_by_hand_inside_a_word():
    snapshot, offset = snapshot_of("a.py", "x = va█ue\n")

    made, by_hand = engine("l"), {"manual": True}
    assert (await complete(snapshot, offset, None, made, DEFAULTS))[0].reason is Reason.MID_WORD
    assert (await complete(snapshot, offset, None, made, DEFAULTS, **by_hand))[0].detail != ""


async def test_choices():
    made = engine("a + 1", others={"a + 1": ("b", "a + 1", "c + )")})
    snapshot, offset = snapshot_of("a.py", "y = [█]\n")

    found, memory = await choices(snapshot, offset, None, made, DEFAULTS)

    assert [one.text for one in found] == ["a + 1", "b"]
    assert memory.shown.text == "a + 1"
    assert len({prompt.parts for prompt in made.prompts}) == 1


async def test_no_choices_is_one_reason():
    snapshot, offset = snapshot_of("a.py", "x = █\n")

    [only], _ = await choices(snapshot, offset, None, engine(""), DEFAULTS)

    assert only.reason is Reason.EMPTY


@pytest.mark.parametrize(
    ("marked", "selected", "answer", "shown"),
    [
        ("x = pri█\n", "print", "(a)", "x = «print(a)»\n"),
        ("x = pri█)\n", "print", "(a))", "x = «print(a))»\n"),
        ("x = rtn█\n", "return_it", "()", "x = «return_it()»\n"),
        ("x = pri█\n", "print", "", None),
    ],
)
async def test_beyond_the_selected_item(marked, selected, answer, shown):
    snapshot, offset = snapshot_of("a.py", marked)
    item = Selected(offset - 3, offset, selected)

    got, memory = await beyond(item, snapshot, None, engine(answer), DEFAULTS)

    if shown is None:
        assert (got.reason, got.text) == (Reason.EMPTY, "")
    else:
        assert show(snapshot, got.start, got.end, got.text) == shown
        assert got.text.startswith(selected)
        assert memory.shown.text == answer


async def test_multiline_settings():
    body = "\n    a = 1\n    return a"

    assert (await ask("def f():█", body))[0].text == body
    assert (await ask("def f():█", body, chosen=settings(multiline="never")))[0].text == ""
    got, _ = await ask("x = 1█", "\ny = 2\nz = 3", chosen=settings(multiline="always"))
    assert got.text == ""
    got, _ = await ask("x = f(█)", "[\n    1,\n])", chosen=settings(multiline="always"))
    assert got.text == "[\n    1,\n])"


async def test_max_tokens_bounds_the_answer():
    made = engine("a + b + c + d + e")
    snapshot, offset = snapshot_of("a.py", "x = █")

    got, _ = await complete(snapshot, offset, None, made, settings(maxTokens=3))

    assert got.trace.generated == 3
    assert got.detail == "length"


async def test_leaves_as_soon_as_a_rule_fires():
    got, _ = await ask("x = █", "1\ny = 2\nz = 3\n")

    assert (got.text, got.detail, got.trace.generated) == ("1", "newline", 2)


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        (State.LOADING, None, Reason.LOADING),
        (State.DOWN, EngineDown("It crashed."), Reason.DOWN),
        (State.FAILED, ModelMissing("No model.", "Get one."), Reason.FAILED),
        (State.STOPPED, None, Reason.LOADING),
    ],
)
async def test_engine_trouble_is_a_reason(state, error, reason):
    made = engine("1")
    made.set_state(state, error)
    snapshot, offset = snapshot_of("a.py", "x = █")

    got, memory = await complete(snapshot, offset, None, made, DEFAULTS)

    assert got.reason is reason
    assert error is None or got.detail == str(error)
    assert memory == Memory()


@pytest.mark.parametrize(
    ("error", "reason"),
    [(EngineDown("Gone."), Reason.DOWN), (PromptTooLong("Too long."), Reason.FAILED)],
)
async def test_engine_trouble_while_it_writes(error, reason):
    made = engine("1 + 2")
    snapshot, offset = snapshot_of("a.py", "x = █")
    made.script = replace(made.script, delay_ms=0.01)
    asking = asyncio.create_task(complete(snapshot, offset, None, made, DEFAULTS))
    await asyncio.sleep(0)
    made.set_state(State.DOWN, error)

    got, memory = await asking

    assert (got.reason, got.detail) == (reason, str(error))
    assert memory.layout is not None


class Narrow(ScriptedEngine):
    """Holds so many characters and no more."""

    def __init__(self, room):
        super().__init__(Script(default="1 + 2"))
        self.room = room
        self.start()

    def generate(self, prompt, **wanted):
        generation = super().generate(prompt, **wanted)
        if size(prompt) > self.room:
            raise PromptTooLong("Too long.")
        return generation


async def test_text_of_more_tokens_than_expected_is_read_in_part():
    made = Narrow(1500)
    below = "# คำ\n" * 300
    snapshot, offset = snapshot_of("a.py", "# ข้อความ\n" * 900 + f"x = █\n{below}")

    got, memory = await complete(snapshot, offset, None, made, DEFAULTS)
    await complete(snapshot, offset, replace(memory, written=None, shown=None), made, DEFAULTS)

    assert (got.reason, got.text) == (Reason.SHOWN, "1 + 2")
    *refused, first, second = map(size, made.prompts)
    assert refused
    assert min(refused) > 1500 >= first == second > 500


async def test_low_confidence():
    got, _ = await ask("x = █", "1 + 2", logprob=-0.69)

    assert got.reason is Reason.LOW_CONFIDENCE
    assert got.trace.generated == 3


async def test_the_first_token_is_the_users_choice():
    got, _ = await ask("x = va█", "lue", logprob=-2.1)

    assert got.text == "lue"


async def type_on(marked, answer, typed, *, after="", name="a.py"):
    """Ask, type ``typed``, ask again of an engine that would say something else."""
    snapshot, offset = snapshot_of(name, marked)
    _, memory = await complete(snapshot, offset, None, engine(answer), DEFAULTS)
    text = snapshot.text[:offset] + typed + CURSOR + after + snapshot.text[offset:]
    snapshot, offset = snapshot_of(name, text)
    made = engine("other")
    got, memory = await complete(snapshot, offset, memory, made, DEFAULTS)
    return got, show(snapshot, got.start, got.end, got.text), len(made.prompts), memory


async def test_typing_along_needs_no_model():
    got, text, asked, _ = await type_on("def f(a):\n    ret█\n\nx = 1\n", "urn a + 1", "urn ")

    assert (got.text, got.detail, asked) == ("a + 1", "typed along", 0)
    assert text == "def f(a):\n    return «a + 1»\n\nx = 1\n"


async def test_typing_along_with_auto_closed_bracket():
    _, text, asked, _ = await type_on("x = █\ny = 2\n", "f(a, b)", "f(", after=")")

    assert text == "x = f(«a, b)»\ny = 2\n"
    assert asked == 0


async def test_enter_along_a_body():
    _, text, asked, _ = await type_on("def f():█\n", "\n    return 1", "\n    ")

    assert text == "def f():\n    «return 1»\n"
    assert asked == 0


async def test_typing_something_else_asks_the_model():
    got, _, asked, _ = await type_on("x = █\n", "f(a)", "g")

    assert (got.text, asked) == ("other", 1)


async def test_a_suggestion_typed_to_its_end_asks_the_model():
    _, _, asked, _ = await type_on("x = █\n", "f(a)", "f(a)")

    assert asked == 1


async def test_backspace_finds_the_suggestion_again():
    snapshot, offset = snapshot_of("a.py", "x = █\n")
    _, memory = await complete(snapshot, offset, None, engine("f(a)"), DEFAULTS)
    wrong, at = snapshot_of("a.py", "x = g█\n")
    _, memory = await complete(wrong, at, memory, engine(""), DEFAULTS)

    got, _ = await complete(snapshot, offset, memory, engine("other"), DEFAULTS)

    assert (got.text, got.detail) == ("f(a)", "typed along")


@pytest.mark.parametrize("changed", ["y = █\n", "x = █\nz\n", "\nx = █\n"])
async def test_a_changed_neighbourhood_forgets_the_suggestion(changed):
    _, memory = await ask("x = █\n", "1")

    got, _ = await ask(changed, "2", memory=memory)

    assert got.text == "2"


async def test_another_file_does_not_know_the_suggestion():
    _, memory = await ask("x = █\n", "1")

    got, _ = await ask("x = █\n", "2", memory=memory, name="b.py")

    assert got.text == "2"


async def test_warm_gives_the_prompt_that_will_be_asked():
    made = engine("1")
    snapshot, offset = snapshot_of("a.py", "x = █\n")

    prompt, memory = warm(snapshot, offset, None, made)
    await complete(snapshot, offset, memory, made, DEFAULTS)

    assert made.prompts == [prompt]
    made.set_state(State.LOADING)
    assert warm(snapshot, offset, memory, made) == (None, memory)


async def test_the_gate_parses_on_after_an_edit():
    snapshot, offset = snapshot_of("a.py", "def f():\n    █\n")
    snapshot = snapshot.splice(offset, offset, "x = f", 2)
    assert snapshot.tree is None

    got, _ = await complete(snapshot, offset + 5, None, engine("(1))"), DEFAULTS)

    assert got.reason is Reason.PARSE


async def test_read_ahead_is_the_beginning_of_what_is_asked_later():
    made = engine("1")
    snapshot, offset = snapshot_of("a.py", "import os\n" * 40 + "x = █\n" + "y = 2\n" * 400)

    ahead, _ = read_ahead(snapshot, made)
    await complete(snapshot, offset, None, made, DEFAULTS)
    asked = made.prompts[0]

    assert ahead.parts[:3] == asked.parts[:3]
    assert ahead.parts[3].startswith(asked.parts[3])
    assert len(ahead.parts) == 4
    assert not ahead.heal
    made.set_state(State.LOADING)
    assert read_ahead(snapshot, made) is None


def slow_engine(answer):
    """Reads 160 tokens, here characters, while somebody waits."""
    made = engine(answer)
    slow = replace(made.status.profile, prefill_rate=200.0)
    made._status = replace(made.status, profile=slow)
    return made


@pytest.mark.parametrize(("below", "is_whole"), [(10, True), (400, False)])
async def test_the_first_key_sees_all_that_was_read_in_advance(below, is_whole):
    made = slow_engine("1")
    above, after = "import os\n" * 80, "y = 2\n" * below
    snapshot, offset = snapshot_of("a.py", f"{above}x = █\n{after}")
    ahead, _ = read_ahead(snapshot, made)
    await made.prefill(ahead)

    _, memory = await complete(snapshot, offset, None, made, DEFAULTS)

    assert above.startswith(memory.layout.prefix)
    assert len(memory.layout.prefix) > len(above) - 40
    assert memory.layout.quick is not is_whole
    assert memory.layout.to_end is is_whole


async def test_whole_windows_are_taken_where_they_cost_no_more_than_quick_ones():
    made = slow_engine("1")
    snapshot, offset = snapshot_of("a.py", "import os\n" * 400 + "x = █\n" + "y = 2\n" * 400)
    _, memory = await complete(snapshot, offset, None, made, DEFAULTS)
    assert memory.layout.quick
    prompt, layout = better_anchor(snapshot, offset, memory, made)
    await made.prefill(prompt)

    _, memory = await complete(snapshot, offset, None, made, DEFAULTS)

    assert (made.prompts[-1].parts, memory.layout) == (prompt.parts, layout)


async def test_a_file_without_grammar_is_not_parsed():
    got, _ = await ask("Dear █", "(friend", name="letter.txt")

    assert got.text == "(friend"


async def test_same_state_same_suggestion():
    answers = {(await ask("def f(a):\n    █", "return a\n    x"))[0] for _ in range(3)}

    assert len(answers) == 1


def test_every_grammar_can_be_asked():
    assert {"python", "javascript", "java", "cpp", "go", "rust", "ruby", "html"} <= {
        language.id for language in LANGUAGES
    }


@pytest.mark.parametrize(
    ("then", "reason"), [("return a", Reason.SHOWN), ("return b", Reason.LOW_CONFIDENCE)]
)
async def test_a_hole_that_is_filled_needs_less_confidence(then, reason):
    marked = f"def f(a):\n    {CURSOR}\n    return a\n"
    got, _ = await ask(marked, f"b = 2\n    {then}\n", logprob=-0.5)
    assert got.reason is reason
    assert got.text == ("b = 2" if reason is Reason.SHOWN else "")
