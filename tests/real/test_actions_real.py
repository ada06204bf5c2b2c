"""A fix, a function from a comment, documentation and an instruction, by the pinned model."""

import pytest

from fimble.check import sandbox
from fimble.features import actions
from fimble.features.offer import Diagnostic, Elsewhere, Look, Offer, Task
from fimble.prompt.library import Library
from fimble.settings import DEFAULTS
from fimble.source.edits import applied
from goldens import LANGUAGES, snapshot_of

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

BROKEN = '''\
"""Sums of orders."""


def total(orders, rate):
    """The sum of all orders with the tax."""
    result = 0
    for order in orders:
        if order.cancelled:
            continue
        result += order.price * order.count
    tax = result * rate
    return result + taxes█
'''


async def make(engine, name, marked, kind, *diagnostics, **more):
    snapshot, offset = snapshot_of(name, marked)
    look = Look(snapshot, offset, offset, LANGUAGES, DEFAULTS, diagnostics)
    offer = next(one for one in actions.offers(look) if one.kind == kind)
    outcome = await actions.make(Task(snapshot, offer, LANGUAGES, DEFAULTS, engine, **more))
    return applied(snapshot.text, outcome.edits), outcome


async def test_an_undefined_name_is_mended(engine):
    start = BROKEN.index("taxes")
    problem = Diagnostic(start, start + 5, "undefined name 'taxes'", "F821")

    text, outcome = await make(engine, "orders.py", BROKEN, "quickfix.fimble", problem)

    assert text == BROKEN.replace("taxes█", "tax")
    assert outcome.verified


@pytest.mark.parametrize(
    ("comment", "call"),
    [
        ("# A function is_even(n) that tells whether a number is even", "is_even(4)"),
        ("# 函数 is_even(n): 判断一个数是不是偶数", "is_even(4)"),
    ],
)
async def test_a_comment_becomes_a_function(engine, comment, call):
    text, outcome = await make(
        engine, "numbers.py", f"{comment}█\n", "refactor.rewrite.fimble.implement"
    )

    assert outcome.edits, outcome.message
    names = {}
    exec(text, names)  # noqa: S102  (a pinned model, greedy: always the same text)
    assert eval(call, names)  # noqa: S307


async def test_what_a_comment_asserts_is_tried(engine):
    order = "# Count the vowels of a word.\n# assert vowels('audio') == 4█\n"
    kind = "refactor.rewrite.fimble.implement"

    text, outcome = await make(engine, "words.py", order, kind, may_run=sandbox.available)

    assert text.startswith(f"{order.replace('█', '')}def vowels(")
    assert outcome.verified == await sandbox.available()


WRITTEN = """\
def clamp(value, low, high):█
    if value < low:
        return low
    if value > high:
        return high
    return value
"""


async def test_a_function_is_documented(engine):
    text, outcome = await make(engine, "a.py", WRITTEN, "refactor.rewrite.fimble.document")

    assert outcome.edits, outcome.message
    names = {}
    exec(text, names)  # noqa: S102  (a pinned model, greedy: always the same text)
    assert len(names["clamp"].__doc__) > 20
    assert text.endswith(WRITTEN.partition("█\n")[2])


async def test_an_instruction_is_carried_out(engine):
    snapshot, offset = snapshot_of("a.py", WRITTEN)
    options = {"instruction": "Rename value to number"}
    offer = Offer("refactor.rewrite.fimble.instruct", "", offset, offset, options=options)

    outcome = await actions.make(Task(snapshot, offer, LANGUAGES, DEFAULTS, engine))

    text = applied(snapshot.text, outcome.edits)
    assert text == snapshot.text.replace("value", "number")


async def test_tests_are_written_and_pass(engine):
    snapshot, offset = snapshot_of("clamping.py", WRITTEN)
    look = Look(snapshot, offset, offset, LANGUAGES, DEFAULTS)
    [offer] = actions.offers(look, ["refactor.rewrite.fimble.test"])
    runs = sandbox.available

    outcome = await actions.make(Task(snapshot, offer, LANGUAGES, DEFAULTS, engine, may_run=runs))

    assert outcome.other is not None, outcome.message
    assert outcome.other.snapshot.uri.endswith("/tests/test_clamping.py")
    [edit] = outcome.other.edits
    assert edit.text.startswith("from clamping import clamp\n\n\ndef test_")
    assert "assert clamp(" in edit.text
    assert outcome.verified == await sandbox.available()


SHOP = '''\
class Entry:
    def __init__(self, net_cents, how_many):
        self.net_cents = net_cents
        self.how_many = how_many

    def gross_cents(self) -> int:
        """The price of all pieces, taxes included."""
        return self.net_cents * self.how_many * 119 // 100


class Order:
    """What somebody wants; its entries are in `basket`."""

    def __init__(self, basket):
        self.basket = basket
'''
PRICE = '''\
from shop import Entry, Order


def price(order: Order) -> int:
    """The sum of the gross prices of all entries of an order, in cents."""
    pass█
'''


@pytest.mark.parametrize("knows", [True, False])
async def test_what_another_file_defines_is_used(engine, tmp_path, knows):
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.py").write_text(SHOP)
    library = Library(tmp_path, root, LANGUAGES, exclude=(), max_files=9, max_bytes=9999)
    list(library.scan())
    library.take("price.py", "python", PRICE.replace("█", ""))

    async def elsewhere(names, called=()):
        defined, uses = library.about("price.py", names, called) if knows else ((), ())
        return Elsewhere(tuple(defined), tuple(uses))

    kind = "refactor.rewrite.fimble.implement"
    text, outcome = await make(engine, "price.py", PRICE, kind, elsewhere=elsewhere)

    assert outcome.edits, outcome.message
    assert ("basket" in text and ".gross_cents()" in text) is knows
    library.close()
