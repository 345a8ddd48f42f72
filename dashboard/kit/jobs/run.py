"""One run of a job: its recorded steps, and its tries."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dbos import DBOS

from dashboard.kit.errors import MeterdeskError
from dashboard.kit.jobs.catalogue import Job, JobFunction, pause_after
from dashboard.kit.jobs.errors import StepFailed

logger = logging.getLogger(__name__)

Transient = tuple[type[Exception], ...]


class JobRun:
    """What a job function is handed: who it is, and `step`, which survives a crash.

    Between steps a job function must do the same whenever it is run with the same arguments and step results: after a
    crash it starts from the top and its finished steps answer from the record.
    """

    def __init__(self, job: str, key: str, transient: Transient) -> None:
        self.job = job
        self.key = key
        self.attempt = 1
        self._transient = transient
        self._finished: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._asked_pause = 0.0

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """What `function(*arguments)` answers: plain JSON, recorded under `name`, which is unique within the job.

        A recorded step is never run again; the one in flight at a crash is. Raises StepFailed for whatever it raises.
        """
        if name in self._seen:
            raise RuntimeError(f"job {self.job!r} has two steps named {name!r}")
        self._seen.add(name)
        if name in self._finished:
            return self._finished[name]
        causes: list[Exception] = []
        outcome = await DBOS.run_step_async({"name": name}, self._outcome, causes, function, arguments)
        if "error" in outcome:
            raise StepFailed(name, **outcome["error"]) from (causes[0] if causes else None)
        self._finished[name] = outcome["value"]
        return outcome["value"]

    async def _outcome(
        self, causes: list[Exception], function: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
    ) -> dict[str, Any]:
        """The step's result or its error as one plain document: an exception would come back from the record as
        something else than what was raised."""
        try:
            return {"value": plain_json(await function(*arguments))}
        except Exception as error:
            causes.append(error)
            self._note_pause(error)
            code = error.code if isinstance(error, MeterdeskError) else None
            described = {"error_name": type(error).__name__, "message": str(error), "code": code}
            return {"error": {**described, "is_transient": isinstance(error, self._transient)}}

    def is_transient(self, error: Exception) -> bool:
        return error.is_transient if isinstance(error, StepFailed) else isinstance(error, self._transient)

    def next_attempt(self) -> float:
        """Begins the next try; answers the seconds to wait before it."""
        pause = pause_after(self.attempt, self._asked_pause)
        self.attempt, self._asked_pause, self._seen = self.attempt + 1, 0.0, set()
        return pause

    def _note_pause(self, error: Exception) -> None:
        # `TooManyRequests` of our own, or a refusal of Stripe's with a Retry-After.
        asked = getattr(error, "retry_after_seconds", None)
        if asked is not None:
            self._asked_pause = asked


async def run_with_retries(function: JobFunction, run: JobRun, job: Job, arguments: Mapping[str, Any]) -> None:
    """Runs `function` until it succeeds, fails for a reason that time does not mend, or has had all its tries.

    Steps that finished are not repeated by a later try. Pauses are not recorded: after a crash the next try comes at
    once. Raises what the last try raised.
    """
    while True:
        try:
            await function(run, **arguments)
            return
        except Exception as error:
            run._note_pause(error)
            if not run.is_transient(error) or run.attempt >= job.attempts:
                logger.warning("job %s for %s failed: %s", run.job, run.key, error, exc_info=error)
                raise
            logger.info("job %s for %s will be tried again: %s", run.job, run.key, error)
        await asyncio.sleep(run.next_attempt())


def plain_json(value: Any) -> Any:
    """`value` as it will come back from the record. Raises TypeError for what is not plain JSON (Decimal, datetime …).

    NaN and infinities are refused too (ValueError): PostgreSQL would not take them.
    """
    return json.loads(json.dumps(value, allow_nan=False))
