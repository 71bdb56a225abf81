"""The first and the last day of days, weeks (from Monday), months and years."""

from datetime import date, timedelta

from service.store.prevalence import Period


def first_day_of(day: date, period: Period) -> date:
    """The first day of the period in which a day lies."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day if period == "day" else day.replace(day=1) if period == "month" else day.replace(day=1, month=1)


def last_day_of(start: date, period: Period) -> date:
    """The last day of the period that starts on a day."""
    if period in ("day", "week"):
        return start + timedelta(days=6 if period == "week" else 0)
    # Any day of the month, or year, after this period.
    later = start + timedelta(days=31 if period == "month" else 366)
    return first_day_of(later, period) - timedelta(days=1)
