"""Tables of the SQL event store, for SQLite (a file of its own) and PostgreSQL (beside the application's tables).

`usage_value` is clustered by meter, subject and time on SQLite, and has a covering index on PostgreSQL: measuring a
customer reads one short run of it. Alembic does not manage these tables; the statements are repeatable.
"""

EVENT_TABLES = ("usage_event", "usage_value", "usage_meter")

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
)

POSTGRESQL_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS usage_event (
        seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        identity BYTEA NOT NULL UNIQUE,
        source TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
        time BIGINT NOT NULL, data TEXT, ingested_at BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS usage_event_subject ON usage_event (subject, seq)",
    "CREATE INDEX IF NOT EXISTS usage_event_type ON usage_event (type, seq)",
    """CREATE TABLE IF NOT EXISTS usage_value (
        meter_no INTEGER NOT NULL, subject TEXT NOT NULL, time BIGINT NOT NULL, seq BIGINT NOT NULL,
        scaled BIGINT, exact TEXT, dimensions TEXT NOT NULL,
        PRIMARY KEY (meter_no, subject, time, seq) INCLUDE (scaled))""",
    """CREATE TABLE IF NOT EXISTS usage_meter (
        meter_no INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, meter_id TEXT NOT NULL UNIQUE,
        definition TEXT NOT NULL, fill_from BIGINT NOT NULL, fill_to BIGINT NOT NULL)""",
)
