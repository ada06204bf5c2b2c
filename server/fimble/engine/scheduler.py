"""Who is next on the inference thread: a queue by priority, then by age.

Jobs are generators. After every step the most urgent job goes on, so a key press overtakes a
prefill within one decode step; the overtaken job keeps its KV slot and continues later.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from fimble.engine.messages import Priority, ToServer

Steps = Generator[ToServer | None, None, None]
"""A job's work; closing it releases what it holds."""


@dataclass(order=True, slots=True)
class Job:
    """One request's place in the queue; ``steps`` starts when the job first runs."""

    priority: Priority
    order: int
    id: int = field(compare=False)
    steps: Steps = field(compare=False)


class Scheduler:
    """The jobs of one inference thread; not thread-safe, and need not be."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._order = 0

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, identifier: int, priority: Priority, steps: Steps) -> None:
        """Queue a job."""
        self._order += 1
        self._jobs.append(Job(priority, self._order, identifier, steps))

    def current(self) -> Job | None:
        """The most urgent job, oldest first."""
        return min(self._jobs, default=None)

    def remove(self, identifier: int) -> Job | None:
        """Take a job out; None if it is gone already."""
        for job in self._jobs:
            if job.id == identifier:
                self._jobs.remove(job)
                return job
        return None
