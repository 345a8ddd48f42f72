"""Which jobs there are and how each is treated: known to every process, whether it runs them or only asks for them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

QueueName = Literal["people", "invoices", "background"]

RUNS_AT_ONCE: dict[QueueName, int] = {"people": 20, "invoices": 20, "background": 10}
"""The queues, with how many runs of each one worker carries at the same time.

They keep kinds of work from standing in each other's way: what a person waits for, invoices on their way to Stripe,
everything else.
"""

JobFunction = Callable[..., Awaitable[None]]
"""`async def job(run: JobRun, **arguments) -> None`"""


@dataclass(frozen=True, slots=True)
class Job:
    """How one kind of job is treated.

    `serial_by` names an argument: runs that agree in its value run one after the other (in no promised order).
    `attempts` counts the tries when what goes wrong is worth trying again; 1 means none but the first.
    """

    queue: QueueName = "background"
    serial_by: str | None = None
    attempts: int = 8


FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 120.0


def pause_after(attempt: int, asked_seconds: float = 0.0) -> float:
    """Seconds to wait after the failed try number `attempt`: 1, 2, 4 … 120, or longer if the other side asked."""
    return max(min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS), asked_seconds)
