import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.check.place import Place, closes, indent_unit, look, opens
from fimble.check.stop import SENTINEL, Mode, Stopper
from fimble.check.trim import contained, meet_rest, trim, unfence, unmatched
from fimble.features.shape import choose_mode
from fimble.settings import DEFAULTS
from fimble.source.languages import BlockStyle
from fimble.source.lexical import inside
from goldens import LANGUAGES, load, show, snapshot_of

WORDS = ("\n", "    ", " ", "a", "x = 1", "(", ")", "}", '"', ":", "<|fim_pad|>")
CODE = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


@pytest.mark.parametrize("case", load("trim"), ids=lambda case: case.id)
def test_trim(case, update):
    snapshot, offset = case.snapshot()
    place = look(snapshot, offset)
    mode = choose_mode(place, DEFAULTS.completion, where=inside(snapshot, offset))
    stopper = Stopper(place, mode)
    for at in range(0, len(case.model), 3):
        if stopper.feed(case.model[at : at + 3]):
            break

    trimmed = trim(stopper.text, place, mode)
    if trimmed.text:
        got = show(snapshot, offset, offset + trimmed.replaced, trimmed.text)
    else:
        got = f"({trimmed.reason})"

    case.expect(got, update)
    assert trim(case.model, place, mode) == trimmed, "a stream and a whole answer differ"


@given(source=CODE, cut=st.integers(0, 40), model=CODE, mode=st.sampled_from(Mode))
def test_whatever_the_model_says(source, cut, model, mode):
    snapshot, offset = snapshot_of("a.py", source[:cut] + "█" + source[cut:])
    place = look(snapshot, offset)

    trimmed = trim(model, place, mode)

    assert 0 <= trimmed.replaced <= len(place.after)
    assert closes(place.after[: trimmed.replaced])
    assert bool(trimmed.text.strip()) != bool(trimmed.reason)
    assert not SENTINEL.search(trimmed.text)
    assert trimmed.text == trimmed.text.rstrip() or place.after[:1].strip() or trimmed.fills
    assert mode is not Mode.LINE or "\n" not in trimmed.text


@pytest.mark.parametrize(
    ("text", "closers"),
    [
        ("a, b", ""),
        ("a, b)", ")"),
        ("f(a), g[b])", ")"),
        ("])", "])"),
        ('"(", a)', ")"),
        ("it's (fine)", ""),
    ],
)
def test_unmatched(text, closers):
    assert unmatched(text) == closers


@pytest.mark.parametrize(
    ("text", "after", "count"),
    [
        ("a, b)", ")", 1),
        ("a, b", ")", 0),
        ("a) + (b", ")", 1),
        ("(a)", ")", 0),
        ('hello")', '")', 2),
        ('hello"', '")', 1),
        ("a, b);", ");", 2),
        ("a, b)", ");", 1),
        ("a => b(a))", ")", 1),
        ("x </div>", "</div>", 6),
        ("String>", ">", 1),
        ("a -> b", ">", 0),
        ("x ])", " ] )", 4),
        ("a, b):\n    return a", "):", 2),
        ("a) and b", "):", 1),
        ("f(lambda: 1))", "):", 1),
        (":\n    return a", ":", 1),
        ("a);\n  b()", ");", 1),
    ],
)
def test_contained(text, after, count):
    assert contained(text, after) == count


@pytest.mark.parametrize(
    ("text", "rest", "result"),
    [
        ("a + b)", " + b)", ("a", 0)),
        ("a +  b )", " + b)", ("a", 0)),
        ("coffee", "ee + 1", ("coffee", 0)),
        ("value", "", ("value", 0)),
        ("x", " = x", ("x", 0)),
    ],
)
def test_meet_rest(text, rest, result):
    assert meet_rest(text, rest) == result


def feed(source, model, mode):
    """The rule that ends ``model`` and how much of it was taken, fed letter by letter."""
    snapshot, offset = snapshot_of("a.py", source)
    stopper = Stopper(look(snapshot, offset), mode)
    for letter in model:
        if stopper.feed(letter):
            break
    return stopper.reason, stopper.text


@pytest.mark.parametrize(
    ("source", "model", "mode", "reason", "taken"),
    [
        ("x = █", "1\ny = 2", Mode.LINE, "newline", "1\n"),
        ("    █", "x = 1\ny", Mode.BLOCK, "dedent", "x = 1\ny"),
        ("    █", "x = 1\n    y = 2\n\nz", Mode.BLOCK, "blank", "x = 1\n    y = 2\n\n"),
        ("def f():█", "\n    a\n\n    b\n\n\n", Mode.BODY, "blank", "\n    a\n\n    b\n\n\n"),
        ("def f():█", "\n    return 1\nx", Mode.BODY, "dedent", "\n    return 1\nx"),
        ("█\nlast()", "first()\nlast()\n", Mode.BLOCK, "suffix", "first()\nlast()\n"),
        ("█", "a()\na()\na()\n", Mode.BLOCK, "loop", "a()\na()\na()\n"),
        ("█", "a()\nb()\na()\nb()\n", Mode.BLOCK, "loop", "a()\nb()\na()\nb()\n"),
        ("█", "a\n```\n", Mode.BLOCK, "fence", "a\n```\n"),
        ("x = █", "1<|fim_pad|>", Mode.LINE, "sentinel", "1<|fim_"),
        ("x = █", "yz, " * 75, Mode.LINE, "loop", None),
        ("█", "".join(f"x{n}\n" for n in range(20)), Mode.BLOCK, "lines", None),
        ("x = █", "1", Mode.LINE, "", "1"),
    ],
)
def test_stop(source, model, mode, reason, taken):
    why, text = feed(source, model, mode)

    assert why == reason
    assert taken is None or text == taken


@pytest.mark.parametrize(
    ("line", "style", "expected"),
    [
        ("def f():", BlockStyle.INDENT, True),
        ("x = [", BlockStyle.INDENT, True),
        ("x = 1", BlockStyle.INDENT, False),
        ("if (a) {", BlockStyle.BRACES, True),
        ("foo(a => ", BlockStyle.BRACES, True),
        ("foo();", BlockStyle.BRACES, False),
        ("def add(a, b)", BlockStyle.END, True),
        ("list.each do |x|", BlockStyle.END, True),
        ("puts 1", BlockStyle.END, False),
        ("define(1)", BlockStyle.END, False),
        ("local f = function(a)", BlockStyle.END, True),
        ("<div>", BlockStyle.NONE, True),
        ("<br/>", BlockStyle.NONE, False),
        ("key:", BlockStyle.NONE, True),
    ],
)
def test_opens(line, style, expected):
    assert opens(line, style) is expected


@pytest.mark.parametrize(
    ("lines", "unit"),
    [
        (["a", "  b", "    c"], "  "),
        (["a", "\tb", "\tc"], "\t"),
        (["a", "    b", "        c"], "    "),
        (["a"], "custom"),
        ([" * a", "   * b"], "   "),
    ],
)
def test_indent_unit(lines, unit):
    assert indent_unit(lines, "custom") == unit


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("```python\nx = 1\n```\nThat is all.", "x = 1\n"),
        ("Here is the code:\n```\nx = 1\n", "x = 1\n"),
        ("x = 1\n```\nThis sets x.", "x = 1\n"),
        ("```", ""),
    ],
)
def test_unfence(text, code):
    assert unfence(text, Place("", "")) == code
    assert unfence(text, Place("", "", fenced=True)) == text


@pytest.mark.parametrize(
    ("after", "model", "text"),
    [
        ("[i] + 1:", "):\n    if a", "):\n    if a"),
        ("ange(3):", "):\n    for j in r", "):"),
        ("token = 1", "area", ""),
        ("return x", "y = 1\n    ", "y = 1\n    "),
        (" + b * c", "a + b", "a"),
        (" + b", "a + b", "a"),
        ("  # note", "a  ", "a"),
        (")", "a ", "a"),
        ("b", "", ""),
    ],
)
def test_where_the_model_ended_by_itself_the_rest_follows(after, model, text):
    place = Place("    x = f(", after, noted="#" in after)
    mode = choose_mode(place, DEFAULTS.completion)
    assert trim(model, place, mode, ended=True).text == text


def test_half_a_line_is_dropped_when_others_stay():
    place = Place("", "")
    assert trim("a = 1\nb = fo", place, Mode.BLOCK, cut_short=True).text == "a = 1"
    assert trim("a = 1\nf([\nb", place, Mode.BLOCK, cut_short=True).text == "a = 1"
    assert trim("a = fo", place, Mode.LINE, cut_short=True).text == "a = fo"


def test_every_language_has_openers():
    assert all(opens("x = [", language.block_style) for language in LANGUAGES)
