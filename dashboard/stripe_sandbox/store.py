"""The sandbox's memory: one SQLite file, committed before every answer, so that a hard kill loses nothing.

Objects are JSON documents. The columns beside them exist to find them: account, kind, customer, parent (an invoice's
lines, a payment intent's charges) and test clock. Within one unit of work every object is loaded once and written once.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, account TEXT NOT NULL,
    kind TEXT NOT NULL, created INTEGER NOT NULL, customer TEXT, parent TEXT, clock TEXT, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS objects_id ON objects (account, id);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (account, kind, seq);
CREATE INDEX IF NOT EXISTS objects_customer ON objects (customer, kind, seq) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_parent ON objects (parent, kind, seq) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL, type TEXT NOT NULL, created INTEGER NOT NULL, object TEXT, pending INTEGER NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_account ON events (account, seq);
CREATE INDEX IF NOT EXISTS events_type ON events (account, type, seq);
CREATE TABLE IF NOT EXISTS deliveries (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL,
    endpoint TEXT NOT NULL, account TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    last_at REAL, last_status INTEGER, last_error TEXT, duration_ms REAL);
CREATE INDEX IF NOT EXISTS deliveries_open ON deliveries (next_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS due (id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, clock TEXT NOT NULL,
    at INTEGER NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, UNIQUE (account, action, target));
CREATE INDEX IF NOT EXISTS due_at ON due (clock, at);
CREATE TABLE IF NOT EXISTS idempotency (account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, request TEXT NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (account, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_age ON idempotency (created);
CREATE TABLE IF NOT EXISTS exchanges (n INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, account TEXT,
    method TEXT NOT NULL, path TEXT NOT NULL, params TEXT NOT NULL, status INTEGER NOT NULL, response TEXT,
    idempotency_key TEXT,
    request_id TEXT NOT NULL, duration_ms REAL);
CREATE INDEX IF NOT EXISTS exchanges_request ON exchanges (request_id);
"""
TABLES = ("objects", "events", "deliveries", "due", "idempotency", "exchanges", "accounts", "settings")
COLUMNS = {"customer", "parent", "clock", "id"}


class Store:
    """All reads and writes of one data directory. Used from one thread; a unit of work is one transaction."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.path = data_dir / "stripe_sandbox.sqlite3"
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;" + SCHEMA)
        self._loaded: dict[tuple[str, str], dict[str, Any]] = {}
        self._dirty: dict[tuple[str, str], dict[str, Any]] = {}
        self._depth = 0

    def close(self) -> None:
        """Flush and let go of the file."""
        self._db.close()

    @contextmanager
    def work(self) -> Iterator[None]:
        """One transaction: committed when the block ends, undone when it raises (unless effects are kept)."""
        if self._depth:
            yield
            return
        self._depth = 1
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._commit()
        except BaseException as error:
            if getattr(error, "keep_effects", False):
                self._commit()
            else:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0
            self._loaded.clear()
            self._dirty.clear()

    def _commit(self) -> None:
        self._flush()
        self._db.execute("COMMIT")

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Inside a unit of work: what this block writes is undone at its end."""
        self._flush()
        self._db.execute("SAVEPOINT trial")
        try:
            yield
        finally:
            self._loaded.clear()
            self._dirty.clear()
            self._db.execute("ROLLBACK TO trial")
            self._db.execute("RELEASE trial")

    # objects

    def get(self, account: str, id: str) -> dict[str, Any] | None:
        """The object with this id, the same dict each time within one unit of work."""
        key = (account, id)
        if key not in self._loaded:
            row = self._db.execute("SELECT body FROM objects WHERE account = ? AND id = ?", key).fetchone()
            if row is None:
                return None
            self._remember(key, json.loads(row["body"]))
        return self._loaded[key]

    def save(self, account: str, obj: dict[str, Any]) -> None:
        """Write the object when the unit of work ends (or a query needs it)."""
        key = (account, obj["id"])
        self._loaded[key] = self._dirty[key] = obj

    def delete(self, account: str, id: str) -> None:
        """Forget the object altogether."""
        self._flush()
        self._loaded.pop((account, id), None)
        self._db.execute("DELETE FROM objects WHERE account = ? AND id = ?", (account, id))

    def find(
        self,
        account: str,
        kind: str,
        where: dict[str, Any] | None = None,
        *,
        created: dict[str, int] | None = None,
        before: int | None = None,
        after: int | None = None,
        newest_first: bool = True,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Objects of one kind whose fields equal `where`; `before` and `after` are exclusive positions."""
        self._flush()
        clauses, values = ["account = ?", "kind = ?"], [account, kind]
        for name, wanted in (where or {}).items():
            column = name if name in COLUMNS else f"json_extract(body, '$.{name}')"
            if isinstance(wanted, list | tuple):
                clauses.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values += wanted
            elif wanted is None:
                clauses.append(f"{column} IS NULL")
            else:
                clauses.append(f"{column} = ?")
                values.append(wanted)
        _add_range(clauses, values, created, before, after)
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT id, body FROM objects WHERE {' AND '.join(clauses)} ORDER BY seq {order}"
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        return [self._materialise(account, row) for row in self._db.execute(sql, values)]

    def position(self, account: str, id: str) -> int | None:
        """Where the object stands in the order of creation."""
        self._flush()
        row = self._db.execute("SELECT seq FROM objects WHERE account = ? AND id = ?", (account, id)).fetchone()
        return row["seq"] if row else None

    def count(self, account: str, kind: str, where: dict[str, Any] | None = None) -> int:
        """How many objects of one kind match."""
        return len(self.find(account, kind, where)) if where else self._count_kind(account, kind)

    def _count_kind(self, account: str, kind: str) -> int:
        self._flush()
        sql = "SELECT count(*) FROM objects WHERE account = ? AND kind = ?"
        return self._db.execute(sql, (account, kind)).fetchone()[0]

    def _materialise(self, account: str, row: sqlite3.Row) -> dict[str, Any]:
        key = (account, row["id"])
        if key not in self._loaded:
            self._remember(key, json.loads(row["body"]))
        return self._loaded[key]

    def _remember(self, key: tuple[str, str], obj: dict[str, Any]) -> None:
        if self._depth:
            self._loaded[key] = obj
        else:
            self._loaded = {key: obj}

    def _flush(self) -> None:
        if not self._dirty:
            return
        rows = [
            (account, *_columns(obj), json.dumps(obj, separators=(",", ":")))
            for (account, _), obj in self._dirty.items()
        ]
        self._dirty.clear()
        self._db.executemany(
            "INSERT INTO objects (account, id, kind, created, customer, parent, clock, body) VALUES (?,?,?,?,?,?,?,?)"
            " ON CONFLICT (account, id) DO UPDATE SET customer = excluded.customer, parent = excluded.parent,"
            " clock = excluded.clock, body = excluded.body",
            rows,
        )

    # everything else

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """Plain SQL for the tables that are not objects."""
        return self._db.execute(sql, tuple(values))

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Plain SQL, once per row."""
        self._db.executemany(sql, rows)

    def one(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Row | None:
        """The first row, if any."""
        return self._db.execute(sql, tuple(values)).fetchone()

    def all(self, sql: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """All rows."""
        return self._db.execute(sql, tuple(values)).fetchall()

    def setting(self, name: str, default: Any = None) -> Any:
        """A stored setting, decoded."""
        row = self.one("SELECT value FROM settings WHERE name = ?", (name,))
        return json.loads(row["value"]) if row else default

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a setting over restarts."""
        self.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, json.dumps(value)))

    def empty(self) -> None:
        """Forget everything."""
        with self.work():
            self._loaded.clear()
            self._dirty.clear()
            for table in TABLES:
                self.execute(f"DELETE FROM {table}")
            self.execute("DELETE FROM sqlite_sequence")

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the whole state to another file."""
        with sqlite3.connect(path) as target:
            self._db.backup(target)
        target.close()


def _columns(obj: dict[str, Any]) -> tuple[str, str, int, str | None, str | None, str | None]:
    customer = obj.get("customer")
    parent = obj.get("_parent") or obj.get("invoice") or obj.get("charge") or obj.get("payment_intent")
    clock = obj.get("test_clock")
    return (
        obj["id"],
        obj["object"],
        obj.get("created") or obj.get("_created") or 0,
        customer if isinstance(customer, str) else None,
        parent if isinstance(parent, str) else None,
        clock if isinstance(clock, str) else None,
    )


def _add_range(
    clauses: list[str], values: list[Any], created: dict[str, int] | None, before: int | None, after: int | None
) -> None:
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    for name, bound in (created or {}).items():
        clauses.append(f"created {signs[name]} ?")
        values.append(bound)
    if before is not None:
        clauses.append("seq < ?")
        values.append(before)
    if after is not None:
        clauses.append("seq > ?")
        values.append(after)
