"""The confidence gate: one score for how sure the model was of what it wrote.

A logistic regression on 835 suggestions of the pinned 0.5B model (HumanEval-Infilling's single
lines, multiple lines and random spans; lines in JavaScript, Java, Go and Rust with the cursor at
the start, inside a word and inside the line), each right (exact, or its tests pass) or wrong. The
constants are its coefficients; cross-validated by task, its AUC is 0.80, that of the mean log
probability alone 0.73. Of the 65 % with the highest scores 88 % are right, of all 72 %.
``fimble eval gate`` fits them again; `docs/suggestions.md` has what it found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log2
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimble.engine.messages import ModelInfo, Piece

Eagerness = Literal["quiet", "balanced", "eager"]

CONSTANT: Final = -0.18
PER_LOGPROB: Final = 0.22
PER_MARGIN: Final = 0.52
MID_LINE: Final = -3.0
"""Where other text follows in the line and the model did not come to it: of 29 two were right.
Fitted to the 19 lines of them, which a part of was missing; to all with the 10 spans it is -3.9."""
MEETS: Final = 1.0
"""Where the model, after what it wrote, went on with the line below the cursor: of 58 blocks half
were right then, else one in seven. Fitted to each half of them and 40 lines: 0.9 and 1.2. And where
it went on with the other text in the line: of 85 lines and spans 77 were right; 1.0 fits the lines,
1.2 all."""
AT_END: Final = 0.5
"""Where nothing stands below the cursor there are more ways to go on, and as many of them right. Of
179 lines asked for so, of which 65 % are right, it lets 63 % through instead of 51 %, and of these
84 % are right instead of 88 %; fitted to the 135 of them that tests judge, it is 0.6."""
PER_DOUBLING: Final = 0.4
"""For each doubling of the model's size: of 121 suggestions of the 1.5B 101 were right, and of the
37 that would have less than 0.6 without this, 28."""
FITTED_PARAMETERS: Final = 630e6
"""As llama.cpp counts them: the file of the 0.5B has its embeddings twice."""
LARGEST_PARAMETERS: Final = 1.78e9
"""Of the 1.5B, the largest model that was looked at; larger ones are trusted as much."""
MAX_MARGIN: Final = 5.0
"""Above this one token is as good as certain, and how much so says nothing."""

THRESHOLDS: Final[dict[Eagerness, float]] = {"quiet": 0.8, "balanced": 0.6, "eager": 0.3}
"""Least score that is shown: of those rows 54, 67 and 96 %, and of these 91, 88 and 74 % are
right."""

OPEN: Final = -1.0
"""Added to any threshold, it lets everything pass."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for or against a suggestion besides its tokens.

    ``mid_line`` says that other text than closers follows in the line, ``at_end`` that nothing
    stands below it, ``meets`` that the model then went on with that text, or where there is none
    with what stands below: it thinks that nothing else is missing. ``trust`` is that in the model.
    """

    mid_line: bool = False
    meets: bool = False
    at_end: bool = False
    trust: float = 0.0

    @property
    def weight(self) -> float:
        """What it adds to the logarithm of the odds."""
        misses = self.mid_line and not self.meets
        flags = MID_LINE * misses + MEETS * self.meets + AT_END * self.at_end
        return flags + self.trust


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a suggestion is judged by: it falls with each token and each close decision.

    ``logprob`` is the sum over the tokens, ``margin`` the least lead of one over its rival.
    """

    logprob: float
    margin: float
    evidence: Evidence

    @property
    def score(self) -> float:
        """The probability that the suggestion is right."""
        logit = CONSTANT + PER_LOGPROB * self.logprob + PER_MARGIN * self.margin
        return 1 / (1 + exp(-logit - self.evidence.weight))


def trust_in(model: ModelInfo | None) -> float:
    """Return what a model's size adds to the scores: a larger one is right with the same doubts.

    0 where the size is not known, and for the model that the constants were fitted to.
    """
    n_params = model.n_params if model else 0
    size = min(max(n_params, FITTED_PARAMETERS), LARGEST_PARAMETERS)
    return PER_DOUBLING * log2(size / FITTED_PARAMETERS)


def doubt(pieces: Sequence[Piece], evidence: Evidence) -> Doubt:
    """Sum up what the model thought while it wrote these pieces.

    The first token does not count: it begins with what the user typed, likely or not. Nor do
    others that were forced by that, against the model's own choice, as in a blank line where the
    model would have none. Nor does a last one that ends the line: whether one or two line breaks
    follow says nothing.
    """
    counted = pieces[1:-1] if pieces and "\n" in pieces[-1].text else pieces[1:]
    free = [piece for piece in counted if piece.margin >= 0]
    closest = min((min(piece.margin, MAX_MARGIN) for piece in free), default=MAX_MARGIN)
    logprob = sum(piece.logprob for piece in free)
    return Doubt(logprob, closest, evidence)


def sure_part(
    text: str,
    pieces: Sequence[Piece],
    eagerness: Eagerness,
    evidence: Evidence,
    *,
    stricter: float = 0.0,
) -> tuple[str, float]:
    """Return the longest run of whole lines that is sure enough, maybe none, and the score.

    The score is that of the text returned, or of the first line that is not sure enough.
    ``stricter`` is added to the threshold. That it `meets` what follows is evidence for the whole
    text and for no part of it.
    """
    least = THRESHOLDS[eagerness] + stricter
    if evidence.meets and (whole := doubt(written(text, pieces), evidence).score) >= least:
        return text, whole
    lines = text.splitlines(keepends=True)
    of_a_part = replace(evidence, meets=False)
    sure = ""
    reached = 0.0
    for count in range(1, len(lines) + 1):
        part = "".join(lines[:count])
        if not part.strip():
            continue
        now = doubt(written(part, pieces), of_a_part).score
        if now < least:
            return sure.rstrip(), reached or now
        sure, reached = part, now
    return sure, reached


def written(part: str, pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Return the pieces that say ``part``: as many visible characters, whatever was trimmed."""
    wanted = sum(map(len, part.split()))
    for count, piece in enumerate(pieces, 1):
        wanted -= sum(map(len, piece.text.split()))
        if wanted <= 0:
            return pieces[:count]
    return pieces
