"""The pinned 0.5B, rewritten into a directory of its own, still completes a line."""

import asyncio

import pytest

from conftest import MODEL, PROFILE, running_engine
from fimble.engine.compare import Comparison
from fimble.engine.messages import Rates
from fimble.features.complete import Reason, complete
from fimble.measure.completing import answers_of
from fimble.measure.optimize import Tools, optimize
from fimble.models.store import open_store
from fimble.settings import DEFAULTS
from goldens import snapshot_of

pytestmark = pytest.mark.real

ROWS = 4
SOURCE = '''\
class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def moved(self, dx, dy):
        """Return this point moved by an offset."""
        ret█
'''


def compared(original, other, *, tick):
    """How fast both are is for `fimble bench`; here the other one counts as faster."""
    return Comparison(PROFILE, (Rates(100, 20),), (Rates(200, 40),))


async def test_an_optimized_model_completes_a_line(model_path, tmp_path):
    store = open_store(tmp_path)
    entry = store.find(MODEL)
    store.path_of(entry).symlink_to(model_path)
    tools = Tools(
        compare=compared,
        answers=lambda model, profile, rows, tick: answers_of(model, profile, rows[:ROWS], tick),
    )

    lines = await asyncio.to_thread(
        lambda: list(optimize(store, entry, body="q4_0", keep_head=True, tools=tools))
    )

    path = store.fastest(MODEL)
    assert path.name == f"{MODEL}.optimized-q4_0-kept.gguf", lines
    assert path.stat().st_size < 1.1 * entry.size
    snapshot, offset = snapshot_of("point.py", SOURCE)
    async with running_engine(path) as engine:
        completion, _ = await complete(snapshot, offset, None, engine, DEFAULTS)
    assert completion.reason is Reason.SHOWN, completion
    assert completion.text.startswith("urn Point(self.x + dx, self.y + dy)")
