"""One function per kind of vector: it calls the product with the vector's input and compares with what is expected."""

from vector_kinds import calendar_and_money, catalog_and_usage, invoices, lifecycle, periods_and_dates, rating

KINDS = {
    **rating.KINDS,
    **calendar_and_money.KINDS,
    **catalog_and_usage.KINDS,
    **periods_and_dates.KINDS,
    **invoices.KINDS,
    **lifecycle.KINDS,
}
