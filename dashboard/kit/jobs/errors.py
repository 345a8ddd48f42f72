"""Refusals of the job engine."""

from dashboard.kit.errors import Conflict, NotFound


class EngineAlreadyRunning(Conflict):
    """Another process runs the jobs of this SQLite database."""

    code = "job_engine_already_running"
    remedy = "Stop the other process, or move to PostgreSQL, where several workers may run."


class UnknownJob(NotFound):
    """No job of this name is in the catalogue."""

    code = "unknown_job"
    remedy = "Use one of the names in the catalogue that the program was built with."


class NoFailedRun(NotFound):
    """There is no run under this job and key that has failed for good."""

    code = "no_failed_run"
    remedy = "Reload the list: it may have been started again or deleted meanwhile."


class StepFailed(Exception):
    """A step of a job raised `error_name`. It looks the same the first time and when the job is replayed after a crash.

    The original exception is the `__cause__`, but only the first time: a job must not decide by it.
    """

    def __init__(self, step: str, error_name: str, message: str, *, code: str | None, is_transient: bool) -> None:
        super().__init__(message)
        self.step = step
        self.error_name = error_name
        self.message = message
        self.code = code
        self.is_transient = is_transient
        # DBOS records an exception's class, message, `code` and `details`.
        self.details = {"error_name": error_name, "step": step}
