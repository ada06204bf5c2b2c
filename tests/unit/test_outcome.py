"""What becomes of suggestions: read off the text, kept as figures, turned into a threshold."""

import stat
from dataclasses import replace

import pytest

from fimble.errors import HistoryError
from fimble.features.adapt import BOUND, adjustment
from fimble.features.memory import Shown
from fimble.features.outcome import Outcome, abandoned, follow, longer, offered, surviving
from fimble.history import History, Row, Tally
from fimble.measure.stats import stats

BEFORE = "def f(a):\n    return "
AFTER = "\nprint(f(1))\n"
TEXT = "a + 1"


def shown(after=AFTER):
    return Shown("file:///a.py", len(BEFORE), TEXT, BEFORE, after)


def end(*steps, after=AFTER):
    """How an offer ends when what stands between the two halves becomes each of ``steps``."""
    offer, outcome = offered(shown(after), BEFORE + after), None
    for step in steps:
        offer, outcome = follow(offer, BEFORE + step + after)
        if outcome is not None:
            break
    return outcome


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        (["a + 1"], Outcome.ACCEPTED),
        (["a", "a + 1"], Outcome.ACCEPTED),
        (["a +", "a + 1"], Outcome.ACCEPTED),
        (["a +", "a +x"], Outcome.PARTIAL),
        (["a", "a ", "a +", "a + ", "a + 1"], Outcome.TYPED),
        (["a", "a ", "b"], Outcome.REJECTED),
        (["x"], Outcome.REJECTED),
        (["a", ""], None),
        (["a", "", "a + 1"], Outcome.ACCEPTED),
        (["a)"], None),
        (["a)", "a + 1)"], Outcome.ACCEPTED),
    ],
)
@pytest.mark.parametrize("after", [AFTER, ""], ids=["in the middle", "at the end"])
def test_the_text_says_how_it_ended(steps, outcome, after):
    assert end(*steps, after=after) is outcome


def test_a_change_elsewhere_ends_it_and_leaving_counts_as_no():
    offer = offered(shown(), BEFORE + AFTER)
    assert follow(offer, "x" + BEFORE + AFTER)[1] is Outcome.REJECTED
    assert abandoned(offer) is Outcome.REJECTED


def test_a_suggestion_that_grows_stays_the_same_offer():
    offer, _ = follow(offered(shown(), BEFORE + AFTER), f"{BEFORE}a +{AFTER}")
    grown = longer(offer, replace(shown(), text=TEXT + " + 2"))
    assert (grown.stands, grown.pasted) == (3, 3)
    assert follow(grown, f"{BEFORE}{TEXT}{AFTER}")[1] is None
    assert follow(grown, f"{BEFORE}{TEXT} + 2{AFTER}")[1] is Outcome.ACCEPTED
    assert longer(offer, replace(shown(), text="b + 1")) is None
    assert longer(offer, replace(shown(), start=3)) is None


def test_survival_is_counted_in_lines():
    accepted = "a = 1\nb = 2\n"
    assert surviving(accepted, "x\na = 1\nb = 2\n", 2) == 1.0
    assert surviving(accepted, "x\na = 1\nb = 3\n", 2) == 0.5
    assert surviving("\n", "", 0) == 1.0


def row(outcome="accepted", language="python", at=1000.0):
    return Row(at, language, 12, 1, 12, 80.0, outcome)


def test_the_history_keeps_figures_in_a_private_file(tmp_path):
    history = History(tmp_path / "deep" / "history.sqlite")
    assert history.tallies() == {}
    first = history.add(row())
    history.add(row("rejected"))
    history.add(row("typed", "rust"))
    history.add(row(at=-1e9))
    history.survived(first, {"after_30_s": 1.0})
    history.survived(first, {"after_120_s": 0.5})
    tallies = history.tallies(now=2000.0)
    assert tallies["python"] == Tally(2, 1, 0, 0, 1, 0.5, 80.0)
    assert tallies["rust"].typed == 1
    assert stat.S_IMODE(history.file.stat().st_mode) == 0o600
    history.clear()
    assert history.tallies() == {}


def test_a_file_that_is_no_history_is_one_clear_error(tmp_path):
    file = tmp_path / "history.sqlite"
    file.write_bytes(b"hello" * 1000)
    with pytest.raises(HistoryError, match="cannot be used"):
        History(file).add(row())


def test_adjustment_is_bounded_and_starts_at_nothing():
    assert adjustment(Tally()) == 0.0
    assert 0 < adjustment(Tally(shown=3, rejected=3)) < 0.02
    assert adjustment(Tally(shown=10_000)) == BOUND
    assert adjustment(Tally(shown=10_000, accepted=10_000)) == -BOUND
    rates = [adjustment(Tally(shown=200, accepted=count)) for count in range(0, 200, 20)]
    assert rates == sorted(rates, reverse=True)


def test_stats_are_a_table_or_json(tmp_path, capsys):
    file = tmp_path / "history.sqlite"
    assert stats(file) == 0
    assert "No suggestion" in capsys.readouterr().out
    for outcome in ("accepted", "rejected"):
        History(file).add(row(outcome, at=4e9))
    stats(file)
    assert "python                   2       50%        0%" in capsys.readouterr().out
    stats(file, as_json=True)
    assert '"accepted": 1' in capsys.readouterr().out


def test_stats_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    file, drawing = tmp_path / "history.sqlite", tmp_path / "stats.svg"
    History(file).add(row(at=4e9))
    stats(file, draw=drawing)
    assert drawing.read_text().startswith("<?xml")
