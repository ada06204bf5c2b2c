"""What the pinned model finds in a function with a bug."""

import pytest

from fimble.features import actions, review
from fimble.features.offer import Look, Task
from fimble.settings import DEFAULTS
from fimble.source.edits import applied
from goldens import LANGUAGES, snapshot_of

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

BUGGY = '''\
def greatest_common_divisor(a, b):
    """The greatest number that divides both, after Euclid."""
    if b == 0:
        return a
    return greatest_common_divisor(a % b, b)█
'''


async def made(engine, look, kind):
    (offer,) = [one for one in actions.offers(look) if one.kind == kind]
    return await actions.make(Task(look.snapshot, offer, LANGUAGES, DEFAULTS, engine))


async def test_a_bug_is_found_and_mended(engine):
    snapshot, offset = snapshot_of("numbers.py", BUGGY)
    look = Look(snapshot, offset, offset, LANGUAGES, DEFAULTS)

    outcome = await made(engine, look, review.KIND)

    hint = outcome.found[0]
    assert snapshot.line_of(hint.start) == 4
    fix = await made(
        engine,
        Look(snapshot, hint.start, hint.end, LANGUAGES, DEFAULTS, (hint,)),
        "quickfix.fimble.review",
    )
    assert "    return greatest_common_divisor(b, a % b)\n" in applied(snapshot.text, fix.edits)
