"""A shop's shelf."""

import string
from collections.abc import Iterator
from dataclasses import dataclass

LIMIT = 3


@dataclass
class Shelf:
    """Holds cups."""

    cups: list[str]

    def each(self) -> Iterator[str]:
        """Yield the cups."""
        for cup in self.cups:
            if cup:
                yield string.capwords(cup)


async def pour(shelf: Shelf) -> int:
    # Never more than the limit.
    def count() -> int:
        return len(shelf.cups)

    while count() > LIMIT:
        shelf.cups.pop()
    return count()
