"""Ranking with the pinned model: the figures of single prompts, in a sensible order, in time."""

import pytest

from fimble.engine.messages import Prompt

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

BEFORE = """\
class Circle:
    def __init__(self, radius, colour):
        self.radius = radius
        self.colour = colour

    def area(self):
        return 3.14159 * self.radius ** 2

    def diameter(self):
        return 2 * """


def prompt(engine, delta):
    s = engine.status.info.sentinels
    return Prompt((s["prefix"], BEFORE, s["suffix"], "\n", s["middle"], delta))


async def test_rank_is_the_sum_of_its_tokens_and_puts_the_right_member_first(engine):
    texts = ["radius", "colour", "area", "diameter", "radians", "__init__"]
    ranked = await engine.rank(prompt(engine, "self."), texts)
    for text, logprob in zip(texts, ranked, strict=True):
        read = await engine.surprise(prompt(engine, "self."), text)
        alone = await engine.rank(prompt(engine, "self."), [text])
        assert logprob == pytest.approx(alone[0], abs=0.15)
        assert sum(each.logprob for each in read) <= 0.0
    assert max(zip(ranked, texts, strict=True))[1] == "radius"


async def test_a_wrong_name_is_what_surprises(engine):
    s = engine.status.info.sentinels
    question = Prompt((s["prefix"], BEFORE, s["suffix"], "\n", s["middle"]), heal=False)
    text = "self.radius\n\n    def circumference(self):\n        return 2 * 3.14159 * self.colour\n"
    read = await engine.surprise(question, text)
    worst = min(read, key=lambda each: each.logprob)
    assert "colour" in text[worst.start : worst.end + 4]
    assert worst.best_text.strip(" .") == "radius"
