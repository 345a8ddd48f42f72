"""Idempotency keys: the first answer under a key is the only one for a day.

https://docs.stripe.com/api/idempotent_requests
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.store import Store

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class KeptAnswer:
    """An answer that is given again for the same key; `request` is the id of the request that earned it."""

    status: int
    body: dict[str, Any]
    request: str


class IdempotencyKeys:
    """Kept answers in the store; keys whose first request is still running in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[tuple[str, str]] = set()

    def recall(self, account: str, key: str, fingerprint: str, now: int) -> KeptAnswer | None:
        """The kept answer, or None for a new key. Raises 400 for other parameters, 409 while the first is running."""
        if len(key) > 255:
            raise ApiError(400, "Idempotency keys can be at most 255 characters long.", executed=False)
        if (account, key) in self._running:
            raise ApiError(
                409,
                "There is currently another in-progress request using this idempotency key (that probably means you "
                "submitted twice, and the other request is still going through). Please try again later.",
                type="idempotency_error",
                code="idempotency_key_in_use",
                executed=False,
            )
        row = self._store.one("SELECT * FROM idempotency WHERE account = ? AND key = ?", (account, key))
        if row is None or row["created"] <= now - KEPT_SECONDS:
            return None
        if row["fingerprint"] != fingerprint:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
                f"using a key other than '{key}' if you meant to execute a different request.",
                type="idempotency_error",
                executed=False,
            )
        return KeptAnswer(row["status"], json.loads(row["body"]), row["request"])

    def begin(self, account: str, key: str) -> None:
        """From here until `end`, a twin of this request is refused."""
        self._running.add((account, key))

    def end(self, account: str, key: str) -> None:
        """The request is answered (or lost)."""
        self._running.discard((account, key))

    def keep(self, account: str, key: str, fingerprint: str, answer: KeptAnswer, now: int) -> None:
        """Remember the answer; part of the same transaction as the effects."""
        self._store.execute(
            "INSERT OR REPLACE INTO idempotency (account, key, fingerprint, status, body, request, created)"
            " VALUES (?,?,?,?,?,?,?)",
            (account, key, fingerprint, answer.status, json.dumps(answer.body), answer.request, now),
        )

    def prune(self, now: int) -> None:
        """Forget keys older than a day."""
        self._store.execute("DELETE FROM idempotency WHERE created <= ?", (now - KEPT_SECONDS,))


def fingerprint(method: str, path: str, params: dict[str, Any]) -> str:
    """Equal for equal requests, whatever the order of their parameters."""
    text = json.dumps([method, path, params], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
