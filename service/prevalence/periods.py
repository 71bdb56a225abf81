"""The first and the last day of days, weeks (from Monday), months and years."""

from calendar import monthrange
from datetime import date, timedelta

from service.store.prevalence import Period


def first_day_of(day: date, period: Period) -> date:
    """The first day of the period in which a day lies."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day if period == "day" else day.replace(day=1) if period == "month" else day.replace(day=1, month=1)


def last_day_of(start: date, period: Period) -> date:
    """The last day of the period that starts on a day."""
    if period == "month":
        return start.replace(day=monthrange(start.year, start.month)[1])
    if period == "year":
        return start.replace(month=12, day=31)
    # There are dates to the end of the year 9999 only, which is no Sunday.
    return start + timedelta(days=min(6, (date.max - start).days) if period == "week" else 0)
