"""Durable jobs: asked for inside a transaction, run once, step by step, through crashes. See README.md."""

from dashboard.kit.jobs.catalogue import Job, JobFunction, QueueName
from dashboard.kit.jobs.engine import TRANSIENT, JobEngine
from dashboard.kit.jobs.errors import EngineAlreadyRunning, NoFailedRun, StepFailed, UnknownJob
from dashboard.kit.jobs.run import JobRun
from dashboard.kit.jobs.store import JOB_TABLES, Backlog, FailedRun, Jobs

__all__ = [
    "JOB_TABLES",
    "TRANSIENT",
    "Backlog",
    "EngineAlreadyRunning",
    "FailedRun",
    "Job",
    "JobEngine",
    "JobFunction",
    "JobRun",
    "Jobs",
    "NoFailedRun",
    "QueueName",
    "StepFailed",
    "UnknownJob",
]
