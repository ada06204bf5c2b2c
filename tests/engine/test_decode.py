"""A request's steps, with other work between any two of them."""

import pytest

from fimble.engine.decode import Decoder
from fimble.engine.kv import KVCache
from fimble.engine.llama.context import Context
from fimble.engine.llama.model import Backend, Model
from fimble.engine.messages import Generate, Piece, Priority, Prompt, Started
from fimble.engine.pace import Pace
from fimble.engine.segments import SegmentTree
from tiny import PROFILE

N_SLOTS = 3


@pytest.fixture
def decoder(tiny):
    model = Model(Backend(), tiny)
    context = Context(
        model,
        n_ctx=PROFILE.n_ctx,
        n_threads=1,
        n_threads_batch=1,
        flash_attention=True,
        n_seq_max=N_SLOTS,
    )
    cache = KVCache(context, N_SLOTS, SegmentTree(ram_bytes=10**7))
    yield Decoder(context, cache, model.info(), PROFILE, Pace(PROFILE, context.set_threads))
    context.close()
    model.close()


def request(identifier, text, max_tokens=6):
    prompt = Prompt((text,), heal=False)
    return Generate(identifier, prompt, max_tokens, Priority.ACTION)


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, Piece))


@pytest.mark.parametrize("others_tokens", [0, 4], ids=["reads only", "writes"])
def test_whoever_comes_in_between_does_not_change_the_answer(decoder, others_tokens):
    question = request(1, "def area(width, height):\n    return ")
    alone = text_of(decoder.run(question, 0.0))
    assert alone
    disturbed = []
    for step, event in enumerate(decoder.run(question, 0.0)):
        disturbed.append(event)
        for _ in decoder.run(request(2, f"while {step} < 9:\n", others_tokens), 0.0):
            pass
    assert any(isinstance(event, Started) for event in disturbed)
    assert text_of(disturbed) == alone
