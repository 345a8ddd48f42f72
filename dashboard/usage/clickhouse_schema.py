"""Tables of the event store on ClickHouse.

Nothing is changed in them, only added. A row counts when the batch it came with was committed (`usage_batch`) and not
given up; its `seq` names the batch. Values lie by meter, then by stretches of thirty days, then by subject and time:
one customer's month is one short run, and a month of everybody leaves the others alone, without a partition for each
month that a late or strange event may bring.
"""

STRETCH = 30 * 86_400_000_000
"""Thirty days in microseconds."""

# How many inserts back a repeated one is recognised by its token. Rows are on the disk before they are acknowledged.
_SETTINGS = "non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1"

CLICKHOUSE_SCHEMA = (
    f"""CREATE TABLE IF NOT EXISTS usage_event (
        seq UInt64, event_id String, source String, type String, subject String,
        time Int64, data Nullable(String), ingested_at Int64,
        INDEX usage_event_type type TYPE bloom_filter, INDEX usage_event_subject subject TYPE bloom_filter,
        INDEX usage_event_id event_id TYPE bloom_filter, INDEX usage_event_time time TYPE minmax)
        ENGINE = MergeTree ORDER BY seq SETTINGS {_SETTINGS}""",
    # Identities are random, so each one looked up reads a granule of its own: small ones.
    f"""CREATE TABLE IF NOT EXISTS usage_event_key (identity FixedString(16), seq UInt64)
        ENGINE = MergeTree ORDER BY identity SETTINGS index_granularity = 256, {_SETTINGS}""",
    f"""CREATE TABLE IF NOT EXISTS usage_value (
        meter_no UInt32, subject String, time Int64, seq UInt64,
        scaled Nullable(Int64), exact Nullable(String), dimensions LowCardinality(String))
        ENGINE = MergeTree ORDER BY (meter_no, intDiv(time, {STRETCH}), subject, time, seq) SETTINGS {_SETTINGS}""",
    # The highest state of a meter is the one it is in: filling, ready, forgotten.
    f"""CREATE TABLE IF NOT EXISTS usage_meter (
        meter_no UInt32, meter_id String, definition String, state UInt8)
        ENGINE = MergeTree ORDER BY (meter_no, state) SETTINGS {_SETTINGS}""",
    f"""CREATE TABLE IF NOT EXISTS usage_batch (batch UInt64, fact UInt8)
        ENGINE = MergeTree ORDER BY (batch, fact) SETTINGS {_SETTINGS}""",
    f"""CREATE TABLE IF NOT EXISTS usage_batch_given_up (batch UInt64)
        ENGINE = MergeTree ORDER BY batch SETTINGS {_SETTINGS}""",
)
