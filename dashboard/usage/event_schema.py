"""Tables of the SQL event store, for SQLite (a file of its own) and PostgreSQL (beside the application's tables).

`usage_value` is clustered by meter, subject and time on SQLite, and has a covering index on PostgreSQL: measuring a
customer reads one short run of it. On PostgreSQL events and values lie in one partition per month of their time, so
that an old month is dropped at once; what makes an event the same one is kept apart in `usage_event_key`, because a
unique index of a partitioned table would let the same event in twice under two times. Alembic does not manage these
tables; the statements are repeatable.
"""

EVENT_TABLES_PREFIX = "usage_"
"""Tables whose names begin so are the event store's, partitions included; no other room's do."""

PARTITIONED = ("usage_event", "usage_value")

EVENT_FILE_PRAGMAS = {
    # Random identities touch pages all over: they are written back every 256 MB, not every 4.
    "wal_autocheckpoint": 64_000,
    "cache_size": -64_000,
    "mmap_size": 1 << 30,
}
"""How SQLite treats the file of events."""

_ON_BOTH = (
    """CREATE TABLE IF NOT EXISTS usage_day (
        meter_no INTEGER NOT NULL, day INTEGER NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (meter_no, day))""",
    """CREATE TABLE IF NOT EXISTS usage_rollup (
        meter_no INTEGER NOT NULL, day INTEGER NOT NULL, subject TEXT NOT NULL, dimensions TEXT NOT NULL,
        counted BIGINT NOT NULL, quotients BIGINT, remainders BIGINT, least BIGINT, most BIGINT,
        beyond BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS usage_rollup_day ON usage_rollup (meter_no, day)",
    """CREATE TABLE IF NOT EXISTS usage_archive (
        file TEXT PRIMARY KEY, month INTEGER NOT NULL, events BIGINT NOT NULL, last_seq BIGINT NOT NULL,
        digest TEXT NOT NULL, archived_at BIGINT NOT NULL, removed_at BIGINT)""",
)

SQLITE_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS usage_event (
        seq INTEGER PRIMARY KEY,
        identity BLOB NOT NULL UNIQUE,
        source TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
        time INTEGER NOT NULL, data TEXT, ingested_at INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS usage_event_subject ON usage_event (subject, seq)",
    "CREATE INDEX IF NOT EXISTS usage_event_type ON usage_event (type, seq)",
    """CREATE TABLE IF NOT EXISTS usage_value (
        meter_no INTEGER NOT NULL, subject TEXT NOT NULL, time INTEGER NOT NULL, seq INTEGER NOT NULL,
        scaled INTEGER, exact TEXT, dimensions TEXT NOT NULL,
        PRIMARY KEY (meter_no, subject, time, seq)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS usage_meter (
        meter_no INTEGER PRIMARY KEY, meter_id TEXT NOT NULL UNIQUE, definition TEXT NOT NULL,
        fill_from INTEGER NOT NULL, fill_to INTEGER NOT NULL)""",
    # Identities of archived events, so that a replay of one is still known.
    "CREATE TABLE IF NOT EXISTS usage_archived_key (identity BLOB PRIMARY KEY) WITHOUT ROWID",
    *_ON_BOTH,
)

POSTGRESQL_SCHEMA = (
    "CREATE SEQUENCE IF NOT EXISTS usage_event_seq",
    "CREATE TABLE IF NOT EXISTS usage_event_key (identity UUID PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS usage_event (
        seq BIGINT NOT NULL, identity UUID NOT NULL,
        source TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
        time BIGINT NOT NULL, data TEXT, ingested_at BIGINT NOT NULL,
        PRIMARY KEY (seq, time)) PARTITION BY RANGE (time)""",
    "CREATE INDEX IF NOT EXISTS usage_event_subject ON usage_event (subject, seq)",
    "CREATE INDEX IF NOT EXISTS usage_event_type ON usage_event (type, seq)",
    # Times far from now are rare and share one partition, so that nobody can make us create thousands.
    "CREATE TABLE IF NOT EXISTS usage_event_other PARTITION OF usage_event DEFAULT",
    """CREATE TABLE IF NOT EXISTS usage_value (
        meter_no INTEGER NOT NULL, subject TEXT NOT NULL, time BIGINT NOT NULL, seq BIGINT NOT NULL,
        scaled BIGINT, exact TEXT, dimensions TEXT NOT NULL,
        PRIMARY KEY (meter_no, subject, time, seq) INCLUDE (scaled)) PARTITION BY RANGE (time)""",
    "CREATE TABLE IF NOT EXISTS usage_value_other PARTITION OF usage_value DEFAULT",
    """CREATE TABLE IF NOT EXISTS usage_meter (
        meter_no INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, meter_id TEXT NOT NULL UNIQUE,
        definition TEXT NOT NULL, fill_from BIGINT NOT NULL, fill_to BIGINT NOT NULL)""",
    *_ON_BOTH,
)
