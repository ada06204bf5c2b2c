import re
from pathlib import Path

from fimble.features.complete import Reason

LUA = Path(__file__).parents[2] / "editors" / "neovim" / "lua" / "fimble" / "reasons.lua"


def test_neovim_has_a_sentence_for_each_reason():
    named = re.findall(r"^  (\w+) = ", LUA.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(Reason)
