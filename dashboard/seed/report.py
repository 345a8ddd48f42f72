"""What the seed says while it works: which step it is at, and one line per kind of thing with how much of it is new."""

from collections.abc import Callable
from dataclasses import dataclass

from dashboard.backend import Backend
from dashboard.kit.database import Actor

SEED = Actor("system", "seed", "Demo company")

Say = Callable[[str], None]
Begin = Callable[[str, int, int], None]


def _nobody_follows(_step: str, _done: int, _total: int) -> None:
    """For a terminal, where the lines themselves show how far it is."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """What every part of the seed works with. `begin` hears of each step as it begins (and how many are done, of how
    many), `say` of what was done."""

    backend: Backend
    say: Say
    begin: Begin = _nobody_follows

    def tell(self, what: str, made: int, wanted: int) -> None:
        """`Customers: 30 made` or `Customers: 2 made, 28 there already`."""
        there = wanted - made
        parts = ([f"{made} made"] if made or not there else []) + ([f"{there} there already"] if there else [])
        self.say(f"{what}: {', '.join(parts)}")
