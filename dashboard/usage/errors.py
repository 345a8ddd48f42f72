"""Refusals of the usage room."""

from dashboard.kit.errors import Conflict, InvalidInput, NotFound, Unavailable


class EventRefused(InvalidInput):
    code = "event_refused"
    remedy = "Mend the named events and send them again; events already stored are not counted twice."


class MeterNotFound(NotFound):
    code = "meter_not_found"
    remedy = "Look at the list of meters for its key."


class MeterKeyTaken(Conflict):
    code = "meter_key_taken"
    remedy = "Choose another key, or change the meter that has it."


class QueryInvalid(InvalidInput):
    code = "meter_query_invalid"


class MeterInUse(Conflict):
    code = "meter_in_use"
    remedy = "Archive the features that use it first."


class MeterFilling(Unavailable):
    code = "meter_filling"
    remedy = "Ask again in a moment."


class NoSuchMonth(InvalidInput):
    code = "no_such_month"
    remedy = "Write a month such as 2026-03."


class MonthArchived(Conflict):
    code = "month_archived"


class NoArchiveHere(Conflict):
    """The event store is one that no month is taken out of."""

    code = "no_archive_here"
    remedy = "Let ClickHouse move old data to cheaper disks (`TTL … TO VOLUME`); a TTL that deletes changes invoices."


class UsageStillNeeded(Conflict):
    code = "usage_still_needed"
    remedy = "Archive it once what needs it is invoiced."


class ArchiveDamaged(Conflict):
    code = "archive_damaged"
    remedy = "Nothing was changed. Put back the file as it was written, from a backup."
