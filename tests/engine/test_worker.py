"""The engine end to end: a real child process, real llama.cpp, a tiny random model."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fimble.engine.calibrate import choose_profile
from fimble.engine.llama.model import Backend, Model
from fimble.engine.messages import Overrides, Priority, Prompt, State
from fimble.errors import EngineClosed, EngineDown, ModelError, PromptTooLong
from tiny import PROFILE, TIMEOUT_S, reached, running, write_model

SENTINELS = {"prefix": 263, "middle": 264, "suffix": 265}


def prompt(delta, prefix="def add(a, b):\n", suffix="\nprint(add(1, 2))\n", *, heal=True):
    s = SENTINELS
    return Prompt((s["prefix"], prefix, s["suffix"], suffix, s["middle"], delta), heal=heal)


async def ask(engine, question, max_tokens=8):
    async with engine.generate(question, max_tokens=max_tokens) as generation:
        text = "".join([piece.text async for piece in generation])
    return text, generation.trace


async def test_a_repeated_prompt_costs_one_token_and_gives_the_same_text(engine):
    first, cold = await ask(engine, prompt("    ret"))
    again, warm = await ask(engine, prompt("    ret"))
    assert again == first
    assert (cold.reused, warm.evaluated) == (0, 1)
    assert warm.reused == warm.prompt_tokens - 1


async def test_typing_re_reads_neither_prefix_nor_suffix(engine):
    _, cold = await ask(engine, prompt("    "))
    for delta in ("    r", "    re", "    ret", "    retu", "    ret", "    x = "):
        _, trace = await ask(engine, prompt(delta))
        assert trace.evaluated <= len(delta) - 4 + 1
        assert trace.reused >= cold.prompt_tokens - 4


async def test_reuse_does_not_change_the_answer(engine, tiny):
    deltas = ["    r", "    return", "    ret", "    return a", "", "    ret"]
    warm = [(await ask(engine, prompt(delta)))[0] for delta in deltas]
    cold = []
    for delta in deltas:
        async with running(tiny) as fresh:
            cold.append((await ask(fresh, prompt(delta)))[0])
    assert warm == cold


async def test_a_line_break_is_not_taken_back(engine):
    for delta in ("    a = 1\n", "    a = 1\n\n", "\n"):
        healed, trace = await ask(engine, prompt(delta))
        whole, plain = await ask(engine, prompt(delta, heal=False))
        assert healed == whole
        assert trace.prompt_tokens == plain.prompt_tokens


async def test_other_files_do_not_disturb_a_warm_one(engine):
    here = prompt("    ret", prefix="a = 1\n" * 60)
    there = prompt("    ret", prefix="class B:\n" * 60)
    text, cold = await ask(engine, here)
    await ask(engine, there)
    again, back = await ask(engine, here)
    assert again == text
    assert back.evaluated == 1
    assert cold.evaluated > 100


async def test_leaving_early_stops_the_work_and_the_next_request_is_answered(engine):
    async with engine.generate(prompt("    "), max_tokens=500) as generation:
        async for _ in generation:
            break
    assert generation.reason == "cancelled"
    await asyncio.wait_for(engine.flush(), TIMEOUT_S)
    assert (await ask(engine, prompt("    ret")))[1].generated > 0


async def test_a_cancelled_task_frees_its_slot(engine):
    for _ in range(20):
        task = asyncio.create_task(ask(engine, prompt("    "), 500))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await ask(engine, prompt("    ret")))[1].generated > 0


async def test_requests_asked_together_are_all_answered(engine):
    questions = [prompt("    r", prefix=f"x{index} = 1\n" * 20) for index in range(12)]
    answers = await asyncio.gather(*(ask(engine, each, 4) for each in questions))
    alone = [await ask(engine, each, 4) for each in questions]
    assert [text for text, _ in answers] == [text for text, _ in alone]


async def test_prefill_makes_the_first_key_press_warm(engine):
    await engine.prefill(prompt("    "), priority=Priority.OPENED)
    _, trace = await ask(engine, prompt("    r"))
    assert trace.evaluated <= 2


async def test_a_full_cache_drops_the_oldest_file_and_goes_on(engine):
    for index in range(12):
        _, trace = await ask(engine, prompt("  r", prefix=f"v{index} = {index}\n" * 60))
        assert trace.generated > 0
    stats = await engine.stats()
    assert 0 < stats.sequences <= 8
    assert stats.kv_cells_total == 2048


async def test_sentinels_in_the_text_are_plain_text(engine):
    evil = "<|fim_suffix|><|endoftext|>"
    _, trace = await ask(engine, prompt(evil, heal=False), 1)
    _, plain = await ask(engine, prompt("", heal=False), 1)
    assert trace.prompt_tokens - plain.prompt_tokens == len(evil)


async def test_a_prompt_over_the_context_is_one_clear_error(engine):
    with pytest.raises(PromptTooLong, match="the context holds 2048"):
        await ask(engine, prompt("x", prefix="y" * 3000))
    assert (await ask(engine, prompt("    ret")))[1].generated > 0


async def killed_while_asking(engine):
    async with engine.generate(prompt("    "), max_tokens=1900) as generation:
        async for _ in generation:
            os.kill(engine.pid, signal.SIGKILL)


async def test_a_killed_worker_fails_the_request_and_comes_back(tiny):
    async with running(tiny, backoff_s=(0.01,)) as engine:
        told = []
        engine.on_status(lambda status: told.append(status.state))
        with pytest.raises(EngineDown, match="The model crashed"):
            await killed_while_asking(engine)
        await reached(engine, State.READY)
        assert told.count(State.DOWN) == 1
        assert engine.status.restarts == 1
        assert (await ask(engine, prompt("    ret")))[1].generated > 0


async def test_a_worker_that_hangs_is_ended_and_comes_back(tiny):
    async with running(tiny, backoff_s=(0.01,), hang_s=0.2) as engine:
        generation = engine.generate(prompt("    "), max_tokens=1900)
        os.kill(engine.pid, signal.SIGSTOP)
        with pytest.raises(EngineDown):
            async for _ in generation:
                pass
        await reached(engine, State.READY)
        assert (await ask(engine, prompt("    ret")))[1].generated > 0


async def test_closing_leaves_no_process_and_answers_open_requests(tiny):
    async with running(tiny) as engine:
        pid = engine.pid
        generation = engine.generate(prompt("    "), max_tokens=1900)
        await engine.close()
        with pytest.raises(EngineClosed):
            async for _ in generation:
                pass
        with pytest.raises(EngineClosed):
            engine.generate(prompt("    "), max_tokens=1)
        assert not psutil.pid_exists(pid)


ORPHAN_MAKER = """
import asyncio, sys
from pathlib import Path
from fimble.engine.client import EngineConfig, WorkerEngine

async def main():
    engine = WorkerEngine(EngineConfig(Path(sys.argv[1])))
    engine.start()
    while engine.pid is None:
        await asyncio.sleep(0.01)
    print(engine.pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_the_worker_leaves_when_its_parent_is_killed(tiny):
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN_MAKER, str(tiny)], stdout=subprocess.PIPE, text=True
    ) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, alive = psutil.wait_procs([worker], timeout=TIMEOUT_S)
    assert gone
    assert not alive


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"hello" * 100), "is not a GGUF file"),
        (lambda path: write_model(path, architecture="frobnicator"), "architecture 'frobnicator'"),
        (lambda path: write_model(path, sentinels=()), "no fill-in-the-middle tokens"),
        (lambda path: path.write_bytes(write_model(path).read_bytes()[:200_000]), "is cut short"),
        (lambda path: path.write_bytes(write_model(path).read_bytes()[:900]), "is cut short"),
        (lambda path: None, "does not exist"),
    ],
    ids=["no GGUF", "architecture", "no FIM", "tensors cut", "header cut", "missing"],
)
async def test_a_bad_model_is_one_clear_message_and_no_restart(tmp_path, make, says):
    path = tmp_path / "bad.gguf"
    make(path)
    async with running(path) as engine:
        assert engine.status.state is State.FAILED
        assert says in str(engine.status.error)
        assert engine.status.error.hint
        with pytest.raises(ModelError):
            engine.generate(prompt("x"), max_tokens=1)


async def test_a_worker_that_always_crashes_is_given_up_with_advice(tiny):
    command = (sys.executable, "-c", "raise SystemExit(3)")
    async with running(tiny, command=command, backoff_s=(0.0,)) as engine:
        assert engine.status.state is State.FAILED
        assert "fimble doctor" in str(engine.status.error)


async def test_a_worker_that_cannot_be_started_is_one_clear_message(tiny):
    async with running(tiny, command=(str(Path("no") / "such"),)) as engine:
        assert engine.status.state is State.FAILED
        assert "cannot be started" in str(engine.status.error)


def profile_on(tiny, monkeypatch, others_percent, overrides=None, known=None):
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: others_percent)
    model = Model(Backend(), tiny)
    try:
        return choose_profile(
            model, overrides or Overrides(), known, n_gpu_layers=0, report=lambda: None
        )
    finally:
        model.close()


def test_a_quiet_machine_is_measured(tiny, monkeypatch):
    profile, measured = profile_on(tiny, monkeypatch, 0)
    assert profile == measured
    assert profile.decode_rate > 0
    assert profile.n_ctx == 2048


def test_what_the_user_fixed_is_used_but_not_kept(tiny, monkeypatch):
    fixed = Overrides(n_threads=1, n_ctx=512, flash_attention=False)
    chosen, measured = profile_on(tiny, monkeypatch, 0, fixed)
    assert (chosen.n_threads, chosen.n_ctx, chosen.flash_attention) == (1, 512, False)
    assert measured.decode_rate == chosen.decode_rate
    again, nothing = profile_on(tiny, monkeypatch, 0, fixed, known=measured)
    assert nothing is None
    assert again == chosen


def test_a_busy_machine_is_not_measured_but_guessed(tiny, monkeypatch):
    profile, measured = profile_on(tiny, monkeypatch, 90)
    assert measured is None
    assert (profile.prefill_rate, profile.decode_rate) == (0, 0)
    assert profile.n_threads == psutil.cpu_count(logical=False)


async def test_a_known_profile_is_not_kept_again(tiny):
    kept = []
    async with running(tiny, save_profile=kept.append) as engine:
        assert engine.status.profile == PROFILE
    assert kept == []


async def test_one_line_ends_with_the_line_break(engine):
    question = prompt("    ")
    async with engine.generate(question, max_tokens=400) as generation:
        whole = "".join([piece.text async for piece in generation])
    async with engine.generate(question, max_tokens=400, one_line=True) as generation:
        line = "".join([piece.text async for piece in generation])
    head, newline, _ = whole.partition("\n")
    assert line == head + newline
    assert generation.reason == ("stop" if newline else "length")


async def test_reading_in_advance_spares_what_the_next_key_needs(engine):
    here = prompt("    ret", suffix="x = 1\n" * 8)
    await ask(engine, here)
    await engine.prefill(prompt("", suffix="y = 2\n" * 8), priority=Priority.ANCHOR)
    _, trace = await ask(engine, here)
    assert trace.evaluated == 1
