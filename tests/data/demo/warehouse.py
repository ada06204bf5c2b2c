# SPDX-License-Identifier: Apache-2.0
"""A small warehouse: what lies on which shelf, and what must be ordered again."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


class OutOfStock(Exception):
    """There is less on the shelves than somebody wants."""


@dataclass(frozen=True)
class Article:
    """Something that can be bought; the price is in cents."""

    number: str
    name: str
    price: int
    minimum: int = 0


@dataclass
class Shelf:
    """A place with room for so many pieces."""

    label: str
    room: int
    pieces: Counter = field(default_factory=Counter)

    @property
    def free(self) -> int:
        return self.room - self.pieces.total()

    def put(self, article: Article, count: int) -> int:
        """Put as many pieces here as fit; return how many are left over."""
        fitting = min(count, self.free)
        self.pieces[article.number] += fitting
        return count - fitting


class Warehouse:
    """All shelves, and the articles that may lie on them."""

    def __init__(self, shelves: list[Shelf]) -> None:
        self._shelves = shelves
        self._articles: dict[str, Article] = {}

    def register(self, article: Article) -> None:
        """Make an article known."""
        self._articles[article.number] = article

    def in_stock(self, number: str) -> int:
        """Count the pieces of an article on all shelves."""

    def take(self, number: str, count: int) -> None:
        """Take pieces from the shelves, fullest first."""
        if self.in_stock(number) < count:
            raise OutOfStock(number)
        for shelf in sorted(self._shelves, key=lambda shelf: -shelf.pieces[number]):
            taken = min(count, shelf.pieces[number])
            shelf.pieces[number] -= taken
            count -= taken

    def to_order(self) -> Iterator[Article]:
        """Yield the articles of which there are fewer than their minimum."""
        for article in self._articles.values():
            if self.in_stock(article.number) < article.minimum:
                yield article

    def worth(self) -> int:
        """Return the price of everything in stock, in cents."""


def parse_article(line: str) -> Article:
    """Read an article from a line like ``A-17;Hinge;250;40``."""
    number, name, price, minimum = line.strip().split(";")
    return Article(number, name, int(price), int(minimum))
