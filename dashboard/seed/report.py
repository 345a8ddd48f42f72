"""What the seed says while it works: one line per kind of thing, with how much of it is new."""

from collections.abc import Callable
from dataclasses import dataclass

from dashboard.backend import Backend
from dashboard.kit.database import Actor

SEED = Actor("system", "seed", "Demo company")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seeding:
    """What every part of the seed works with."""

    backend: Backend
    say: Say

    def tell(self, what: str, made: int, wanted: int) -> None:
        """`Customers: 30 made` or `Customers: 2 made, 28 there already`."""
        there = wanted - made
        parts = ([f"{made} made"] if made or not there else []) + ([f"{there} there already"] if there else [])
        self.say(f"{what}: {', '.join(parts)}")
