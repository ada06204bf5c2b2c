"""Ranking and judging texts, against what generating the same tokens says of them."""

import asyncio
import os
import signal

import pytest

from fimble.engine.messages import Priority, Prompt
from fimble.engine.score import Trie
from fimble.errors import EngineDown, PromptTooLong
from tiny import TIMEOUT_S, running

SENTINELS = {"prefix": 263, "middle": 264, "suffix": 265}


def prompt(delta, *, heal=False, lines=1):
    s = SENTINELS
    before = "def add(a, b):\n" * lines
    return Prompt((s["prefix"], before, s["suffix"], "\nadd(1)\n", s["middle"], delta), heal=heal)


async def judged_sum(engine, question, text):
    return sum(each.logprob for each in await engine.surprise(question, text))


async def test_rank_is_the_sum_of_single_tokens_read_separately(tiny):
    texts = ["abc", "abd", "a", "b", "", "xyz = 12", "abcdef", "aber", "  return q", "é€"]
    async with running(tiny) as engine:
        ranked = await engine.rank(prompt("foo."), texts)
    async with running(tiny) as engine:
        for text, logprob in zip(texts, ranked, strict=True):
            assert logprob == pytest.approx(
                await judged_sum(engine, prompt("foo."), text), abs=0.02
            )
    assert ranked[texts.index("")] == 0.0


async def test_surprise_is_what_separate_prompts_say(engine):
    text = "a + b"
    read = await engine.surprise(prompt("x"), text)
    for index, each in enumerate(read):
        ahead = prompt("x" + text[:index])
        async with engine.generate(ahead, max_tokens=1) as generation:
            best = [piece async for piece in generation]
        assert each.best_logprob == pytest.approx(best[0].logprob, abs=0.02)
        assert (each.start, each.end) == (index, index + 1)
        assert each.logprob <= each.best_logprob


async def test_more_texts_than_one_batch_holds(engine):
    words = [
        f"{first}{second}{third}" for first in "abcdefgh" for second in "xyz" for third in "12"
    ]
    together = await engine.rank(prompt("v."), words)
    alone = [(await engine.rank(prompt("v."), [word]))[0] for word in words]
    assert together == pytest.approx(alone, abs=0.02)


async def test_texts_longer_than_a_batch_are_read_in_stretches(engine):
    common = "value = " * 12
    texts = [common + "x" * 20, common + "y" * 50, common, "q"]
    ranked = await engine.rank(prompt("v."), texts)
    for text, logprob in zip(texts, ranked, strict=True):
        assert logprob == pytest.approx(await judged_sum(engine, prompt("v."), text), rel=1e-2)


async def test_the_typed_half_of_a_word_does_not_change_how_words_compare(engine):
    """Half a word and the rest are other tokens than the word: the word's own tokens count."""
    healed = await engine.rank(prompt("  re", heal=True), ["t", "x"])
    whole = await engine.rank(prompt("  ", heal=True), ["ret", "rex"])
    assert healed[0] - healed[1] == pytest.approx(whole[0] - whole[1], abs=0.02)
    read = await engine.surprise(prompt("  re", heal=True), "t")
    assert [(each.start, each.end) for each in read] == [(0, 1)]


async def test_a_prompt_that_ends_inside_a_character_is_not_healed(engine):
    assert await engine.rank(prompt("€€€€", heal=True), ["a"]) == pytest.approx(
        await engine.rank(prompt("€€€€"), ["a"]), abs=0.02
    )


async def test_the_limit_keeps_likely_ways_and_bounds_the_others(engine):
    texts = ["aa1", "bb1", "cc1", "dd1"]
    whole = await engine.rank(prompt("v."), texts)
    heads = await engine.rank(prompt("v."), [text[0] for text in texts])
    none = await engine.rank(prompt("v."), texts, max_tokens=0)
    some = await engine.rank(prompt("v."), texts, max_tokens=2)
    assert none == pytest.approx(heads, abs=0.02)
    best = heads.index(max(heads))
    assert some[best] == pytest.approx(whole[best], abs=0.02)
    assert all(part >= exact - 0.02 for part, exact in zip(some, whole, strict=True))


async def test_offsets_are_code_points(engine):
    text = "é€x"
    read = await engine.surprise(prompt("y"), text)
    assert [(each.start, each.end) for each in read] == [(0, 1)] * 2 + [(1, 2)] * 3 + [(2, 3)]


async def test_a_warm_prompt_stays_warm(engine):
    await engine.prefill(prompt("v."))
    await engine.rank(prompt("v."), ["abc", "abd", "x"])
    await engine.surprise(prompt("v."), "some text")
    async with engine.generate(prompt("v."), max_tokens=1) as generation:
        async for _ in generation:
            pass
    assert generation.trace.evaluated == 1
    assert (await engine.stats()).sequences == 1


async def test_a_key_press_overtakes_a_ranking_and_both_are_right(engine):
    texts = [f"{a}{b}{c}{d}" for a in "abcdefghij" for b in "abcde" for c in "12" for d in "89"]
    expected = await engine.rank(prompt("v.", lines=20), texts)
    ranking = asyncio.create_task(engine.rank(prompt("v.", lines=30), texts))
    await asyncio.sleep(0)
    async with engine.generate(prompt("    "), max_tokens=4) as generation:
        async for _ in generation:
            pass
    assert len(await asyncio.wait_for(ranking, TIMEOUT_S)) == len(texts)
    again = await engine.rank(prompt("v.", lines=20), texts)
    assert again == pytest.approx(expected, abs=0.02)


async def test_a_ranking_that_nobody_waits_for_is_stopped(engine):
    for _ in range(20):
        task = asyncio.create_task(engine.rank(prompt("v.", lines=60), ["ab", "cd"]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.wait_for(engine.flush(), TIMEOUT_S)
    assert len(await engine.rank(prompt("v."), ["ab"])) == 1


async def test_too_long_is_one_clear_error(engine):
    with pytest.raises(PromptTooLong, match="the context holds 2048"):
        await engine.surprise(prompt("x"), "y" * 3000)
    assert await engine.surprise(prompt("x"), "") == ()


async def test_a_killed_worker_fails_the_ranking(tiny):
    async with running(tiny, backoff_s=(0.01,)) as engine:
        os.kill(engine.pid, signal.SIGSTOP)
        ranking = asyncio.create_task(engine.rank(prompt("v."), ["ab"], priority=Priority.ITEMS))
        await asyncio.sleep(0)
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineDown):
            await asyncio.wait_for(ranking, TIMEOUT_S)


def test_only_inner_nodes_are_read_and_common_beginnings_once():
    trie = Trie([[1, 2, 3], [1, 2, 4], [5], []])
    assert list(trie.batches(0)) == [[1, 2]]
    assert trie.stretch(1) == [1, 2]
    assert trie.depth == 3
