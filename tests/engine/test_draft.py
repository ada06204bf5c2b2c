"""Drafting: the same text in fewer steps."""

import random

import pytest

from fimble.engine.draft import GUESS, Acceptance, Drafter, Source
from fimble.engine.messages import Prompt, Sampling
from tiny import PROFILE, running

PROMPT = Source("prompt", 3)
CHEAP = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7)


def draft(prompt, made, guess=(), costs=CHEAP, recent=()):
    drafter = Drafter(Acceptance(costs), prompt, guess, recent)
    for token in made:
        drafter.add(token)
    return drafter.propose()


# --- what is proposed ---------------------------------------------------------------------


def test_the_callers_guess_is_followed_while_it_is_right():
    assert draft([1, 2], [7], guess=[7, 8, 9]) == [8, 9]
    assert draft([1, 2], [6], guess=[7, 8, 9]) == []


def test_what_followed_the_last_tokens_before_may_follow_again():
    assert draft([1, 2, 3, 4, 5, 6, 9, 9, 9, 1, 2], [3])[:2] == [4, 5]
    assert draft([1, 2, 3, 4], [5]) == []


def test_who_left_the_guess_may_come_back_to_it():
    assert draft([1, 2], [6, 8, 9], guess=[7, 8, 9, 10, 11]) == [10, 11]
    assert draft([1, 2], [8, 9], guess=[7, 8, 9]) == []


def test_earlier_answers_are_looked_through_the_latest_first():
    recent = ([4, 5, 6], [4, 5, 7], [8, 4, 5, 9])
    assert draft([1, 2], [4, 5], recent=recent) == [6]
    assert draft([1, 2], [8, 4, 5], recent=recent) == [9]
    assert draft([1, 2], [5], recent=recent) == []


def test_the_latest_of_several_occurrences_counts():
    assert draft([1, 2, 3, 4, 0, 0, 1, 2, 3, 7, 7, 7, 1, 2], [3])[:2] == [7, 7]


def test_a_longer_match_counts_more_than_a_later_one():
    prompt = [9, 8, 7, 1, 2, 3, 4, 4, 4, 0, 1, 2, 3, 5, 5, 5, 9, 8, 7, 1, 2]
    assert draft(prompt, [3])[:2] == [4, 4]


def test_without_measured_costs_nothing_is_drafted():
    assert draft([1, 2, 3, 4, 1, 2], [3], guess=[3, 4], costs=()) == []


def test_a_batch_that_costs_as_much_as_its_tokens_is_not_worth_it():
    linear = tuple(map(float, range(1, 9)))
    assert Acceptance(linear).length(GUESS) == 0
    assert Acceptance(CHEAP).length(GUESS) >= 4


def test_wrong_drafts_become_shorter_and_right_ones_longer():
    acceptance = Acceptance((1.0, 1.6, 1.9, 2.2, 2.6, 2.9, 3.3, 3.6))
    before = acceptance.length(PROMPT)
    for _ in range(40):
        acceptance.learn(PROMPT, right=False)
    assert acceptance.length(PROMPT) == 0
    for _ in range(100):
        acceptance.learn(PROMPT, right=True)
    assert acceptance.length(PROMPT) > before


def test_drafts_that_were_not_read_still_teach():
    acceptance = Acceptance((1.0, 1.7, 2.4))
    for _ in range(40):
        acceptance.learn(GUESS, right=False)
    drafter = Drafter(acceptance, [1], [5, 6, 7, 8, 9] * 20)
    for token in [5, 6, 7, 8, 9] * 20:
        drafter.add(token)
        drafter.propose()
    assert acceptance.length(GUESS) > 0


# --- what comes out -----------------------------------------------------------------------


def profile(costs):
    return lambda: type(PROFILE)(
        PROFILE.n_gpu_layers,
        PROFILE.n_threads,
        PROFILE.n_threads_batch,
        PROFILE.n_ctx,
        PROFILE.flash_attention,
        batch_costs=costs,
    )


async def answer(engine, prompt, **how):
    async with engine.generate(prompt, max_tokens=40, **how) as generation:
        pieces = [piece.text async for piece in generation]
    return pieces, generation.trace


def random_prompts(count):
    rng = random.Random(5)
    words = ["ret", "return", " re", "  ", "x", "(", ")", "\n", "    ", "aa", "+", "é"]
    for _ in range(count):
        text = "".join(rng.choices(words, k=rng.randrange(4, 60)))
        yield Prompt((263, text, 265, "\nend\n", 264, rng.choice(words)))


async def test_drafted_text_is_bit_identical(tiny):
    drafted = accepted = 0
    async with (
        running(tiny, load_profile=profile(CHEAP)) as drafting,
        running(tiny) as plain,
    ):
        for prompt in random_prompts(60):
            expected, _ = await answer(plain, prompt)
            text = "".join(expected)
            for guess in ("", text, text[:9] + "no" + text[9:]):
                actual, trace = await answer(drafting, prompt, guess=guess)
                assert actual == expected
                drafted += trace.drafted
                accepted += trace.accepted
    assert drafted > accepted > 100, "drafts were tried, and some were right"


async def test_branches_begin_differently_and_seeds_repeat(engine):
    prompt = Prompt((263, "x = 1\n", 265, "\n", 264, "    "))
    branches = [
        "".join((await answer(engine, prompt, sampling=Sampling(branch=k)))[0]) for k in range(3)
    ]
    assert len(set(branches)) == 3
    for seed in (1, 2):
        sampling = Sampling(temperature=1.0, seed=seed)
        first, _ = await answer(engine, prompt, sampling=sampling)
        again, _ = await answer(engine, prompt, sampling=sampling)
        assert first == again


@pytest.mark.parametrize("typed", ["re", "ret", "\u00e9"])
async def test_a_branch_keeps_to_the_typed_bytes(engine, typed):
    prompt = Prompt((263, "x = 1\n", 265, "\n", 264, f"    {typed}"))
    pieces, _ = await answer(engine, prompt, sampling=Sampling(branch=1))
    assert pieces
