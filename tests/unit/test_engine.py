"""The engine's parts that need no model: messages, KV slots, scheduler, vocabulary, script."""

import msgspec
import pytest

from fimble.engine import messages as m
from fimble.engine.pace import Pace
from fimble.engine.scheduler import Scheduler
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.engine.vocab import FAMILIES, Vocabulary, find_sentinels
from fimble.errors import EngineClosed, EngineLoading, FimbleError, UnsupportedModel, from_name

PROMPT = m.Prompt((1, "def f():\n", 2, "\n", 3, "    ret"))


# --- messages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        m.Load("model.gguf", m.Overrides(n_threads=2), None),
        m.Generate(7, PROMPT, 12, m.Priority.VISIBLE),
        m.Cancel(7),
        m.Started(7, 10, 8, 4, 2, 0.1, 3.5),
        m.Piece(7, "né\U0001f600\r\n", -0.25, 1.5, 20.0),
        m.Finished(7, "length", 44.0),
        m.Failed(None, "UnsupportedModel", "no", "hint"),
        m.Stats(3, 1, 2, 3, 4),
    ],
)
def test_a_frame_reads_back_as_the_same_message(message):
    frame = m.encode(message)
    body = frame[m.HEADER_BYTES :]
    assert int.from_bytes(frame[: m.HEADER_BYTES], "little") == len(body)
    assert m.decode(body) == message


@pytest.mark.parametrize(
    "body", [b"", b"\x00", msgspec.msgpack.encode(("Shell", {})), msgspec.msgpack.encode([1, 2])]
)
def test_an_unknown_frame_is_refused(body):
    with pytest.raises(msgspec.DecodeError):
        m.decode(body)


def test_an_error_keeps_its_class_across_the_pipe():
    assert type(from_name("UnsupportedModel", "no", "hint")) is UnsupportedModel
    assert type(from_name("os", "no")).__name__ == "EngineDown"


# --- scheduler ----------------------------------------------------------------------------


def test_the_most_urgent_job_runs_first_and_equals_in_order():
    scheduler = Scheduler()
    scheduler.add(1, m.Priority.OPENED, iter(()))
    scheduler.add(2, m.Priority.KEY_PRESS, iter(()))
    scheduler.add(3, m.Priority.KEY_PRESS, iter(()))
    order = []
    while (job := scheduler.current()) is not None:
        order.append(job.id)
        scheduler.remove(job.id)
    assert order == [2, 3, 1]
    assert scheduler.remove(2) is None
    assert not scheduler


# --- vocabulary ---------------------------------------------------------------------------

WORDS = [b"", b"ret", b"return", b" return", b"r", b"re", b"urn", b"\xff", b"\xff\xff", b"  ", b" "]


def healed(pending):
    vocabulary = Vocabulary(WORDS, stops=frozenset(), silent=[0])
    return sorted(WORDS[token] for token in vocabulary.starting_with(pending))


@pytest.mark.parametrize(
    "pending", [b"ret", b"re", b"r", b"\xff", b" ", b"  ", b"u", b"zzz", b" r"]
)
def test_healing_allows_exactly_the_compatible_tokens(pending):
    expected = [
        word for word in WORDS if word and (word.startswith(pending) or pending.startswith(word))
    ]
    # A token equal to all pending bytes is in both sets and must come once.
    assert healed(pending) == sorted(expected)


def lookup(*spellings):
    return {text: 100 + index for index, text in enumerate(spellings)}.get


NOTHING = {"prefix": -1, "suffix": -1, "middle": -1}


def test_each_family_is_told_by_its_spellings():
    for family in FAMILIES:
        architecture = family.architectures[0] if family.architectures else "qwen2"
        found = find_sentinels(NOTHING, lookup(*family.spellings.values()), architecture)
        assert found is not None
        assert set(found[0]) == set(family.spellings)
        assert found[1] is family.order


def test_llama_cpp_knows_spellings_that_we_do_not():
    named = {"prefix": 5, "suffix": 6, "middle": 7, "pad": -1}
    ids, order = find_sentinels(named, lookup(), "new")
    assert ids == {"prefix": 5, "suffix": 6, "middle": 7}
    assert order is m.FimOrder.PREFIX_FIRST


def test_a_chat_model_has_no_fim():
    assert find_sentinels(NOTHING, lookup("<|im_start|>"), "llama") is None


def test_starcoder_is_not_mistaken_for_mellum():
    spellings = lookup("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>")
    assert find_sentinels(NOTHING, spellings, "starcoder")[1] is m.FimOrder.PREFIX_FIRST
    assert find_sentinels(NOTHING, spellings, "llama")[1] is m.FimOrder.SUFFIX_FIRST


# --- the scripted engine ------------------------------------------------------------------


async def text_of(engine, prompt=PROMPT, max_tokens=64):
    async with engine.generate(prompt, max_tokens=max_tokens) as generation:
        return "".join([piece.text async for piece in generation]), generation.reason


async def test_the_longest_needle_wins():
    engine = ScriptedEngine(Script({"ret": "urn a + b\n", "t": "no"}, default="never"))
    engine.start()
    assert await text_of(engine) == ("urn a + b\n", "stop")
    assert (await text_of(engine, max_tokens=1))[1] == "length"
    assert engine.prompts == [PROMPT, PROMPT]


async def test_states_are_answered_like_the_real_engine():
    engine = ScriptedEngine(Script(state=m.State.LOADING))
    seen = []
    engine.on_status(lambda status: seen.append(status.state))
    with pytest.raises(EngineClosed):
        engine.generate(PROMPT, max_tokens=1)
    engine.start()
    with pytest.raises(EngineLoading):
        engine.generate(PROMPT, max_tokens=1)
    engine.set_state(m.State.FAILED, UnsupportedModel("no FIM"))
    with pytest.raises(UnsupportedModel):
        engine.generate(PROMPT, max_tokens=1)
    await engine.close()
    assert seen == [m.State.LOADING, m.State.FAILED, m.State.STOPPED]


def test_a_script_file_that_cannot_be_read_is_one_clear_error(tmp_path):
    path = tmp_path / "script.json"
    path.write_text('{"answers": {"x": 3}}')
    with pytest.raises(FimbleError, match=r"script\.json cannot be used"):
        Script.load(path)
    path.write_text('{"answers": {"x": "y"}, "default": "z", "delay_ms": 0}')
    assert Script.load(path).answer("ax") == "y"


# --- pace ---------------------------------------------------------------------------------


def pace_over(steps):
    """The thread counts set while steps of one token take so many milliseconds, one a second."""
    profile = m.Profile(0, 2, 2, 8192, flash_attention=True, prefill_rate=200, decode_rate=50)
    now, threads = [0.0], []
    pace = Pace(profile, lambda few, _many: threads.append((now[0], few)), lambda: now[0])
    for milliseconds in steps:
        pace.note(1, milliseconds / 1000)
        now[0] += 1
    return threads


def test_a_quiet_machine_keeps_all_threads():
    assert pace_over([20, 25, 40, 60, 20] * 10) == []


def test_a_slow_step_now_and_then_changes_nothing():
    assert pace_over([800, 20, 400, 800, 20] * 4) == []


def test_a_busy_machine_gets_one_thread_and_is_tried_again_ever_more_rarely():
    assert pace_over([800] * 3 + [33] * 4 + [800] * 3 + [33] * 8 + [800] * 3) == [
        (2, 1),
        (6, 2),
        (9, 1),
        (17, 2),
        (20, 1),
    ]


def test_when_it_is_quiet_again_all_threads_stay():
    assert pace_over([800] * 3 + [33] * 4 + [21] * 20) == [(2, 1), (6, 2)]
