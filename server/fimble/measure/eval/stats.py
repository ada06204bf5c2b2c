"""Rates with their intervals, and whether two of them differ on the same rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb, sqrt
from typing import Final

Z: Final = 1.959964
"""The two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of how many, and the 95 % interval (Wilson's) of the share."""

    hits: int
    count: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 of nothing."""
        return self.hits / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds, from 0 to 1."""
        if not self.count:
            return 0.0, 1.0
        n, p = self.count, self.share
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return max(middle - half, 0.0), min(middle + half, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.1%} ({low:.0%} to {high:.0%})"


def rate(values: Iterable[bool]) -> Rate:
    """Count what is true."""
    chosen = list(values)
    return Rate(sum(chosen), len(chosen))


@dataclass(frozen=True, slots=True)
class Paired:
    """Two sides on the same rows: what only the one and only the other got right."""

    only_first: int
    only_second: int
    count: int

    @property
    def difference(self) -> float:
        """How much higher the first one's rate is, from -1 to 1."""
        return (self.only_first - self.only_second) / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference (Wald's, for pairs)."""
        if not self.count:
            return -1.0, 1.0
        apart, gap = self.only_first + self.only_second, self.only_first - self.only_second
        half = Z * sqrt(max(apart - gap * gap / self.count, 0.0)) / self.count
        return max(self.difference - half, -1.0), min(self.difference + half, 1.0)

    @property
    def p(self) -> float:
        """McNemar's exact, two-sided: how likely so uneven a split is if both are equally good."""
        apart = self.only_first + self.only_second
        fewer = min(self.only_first, self.only_second)
        tail: float = sum(comb(apart, k) for k in range(fewer + 1)) / 2**apart
        return min(2 * tail, 1.0)

    def __str__(self) -> str:
        low, high = (100 * bound for bound in self.interval)
        return f"{100 * self.difference:+.1f} points ({low:+.0f} to {high:+.0f}), p = {self.p:.2g}"


def paired(pairs: Iterable[tuple[bool, bool]]) -> Paired:
    """Compare two sides row by row."""
    chosen = list(pairs)
    return Paired(
        only_first=sum(a and not b for a, b in chosen),
        only_second=sum(b and not a for a, b in chosen),
        count=len(chosen),
    )
