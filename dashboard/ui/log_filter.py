"""Keeps sessions out of the log: Reflex writes whole requests, cookies included, when an event is unknown or fails."""

import logging
import re
from typing import Any

from dashboard.kit.web import SESSION_COOKIE

_SECRETS = re.compile(rf"({SESSION_COOKIE}=|Bearer )[^;'\"\s,}}]+")


def keep_sessions_out_of_logs() -> None:
    """From now on, in this process, every record of Reflex's loggers loses its session cookies and bearer tokens."""
    make = logging.getLogRecordFactory()

    def make_clean(*arguments: Any, **more: Any) -> logging.LogRecord:
        record = make(*arguments, **more)
        if record.name.startswith("reflex"):
            _clean(record)
        return record

    logging.setLogRecordFactory(make_clean)


def _clean(record: logging.LogRecord) -> None:
    message = record.getMessage()
    cleaned = _SECRETS.sub(r"\1…", message)
    if cleaned != message:
        record.msg, record.args = cleaned, None
