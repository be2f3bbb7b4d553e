"""How numbers are printed for people: thin spaces, units, no false precision."""

from __future__ import annotations

from datetime import datetime

from scripts.language import language
from scripts.language.language import decimal, in_percent, translated

THIN = language.THIN
NONE = "–"
count = language.grouped


def percent(share: float) -> str:
    """0.5563 as `55.6%`, in Russian `55,6 %`; a part that would round to nothing or to everything says so."""
    if 0 < share < 0.001:
        return f"<{THIN}{percent(0.001)}"
    if 0.999 < share < 1:
        return f">{THIN}{percent(0.999)}"
    return in_percent(decimal(share * 100, 0 if share in (0, 1) else 1))


def whole_percent(share: float) -> str:
    """How much is done: 0.5 as `50%`, in Russian `50 %`."""
    return in_percent(f"{share * 100:.0f}")


def confidence(value: float | None) -> str:
    """Two digits; a dash where there is none."""
    return NONE if value is None else decimal(value, 2)


def moment(at: datetime) -> str:
    """`01 Mar 2026, 09:30 UTC`; in Russian `01.03.2026, 09:30 UTC`."""
    russian = language.current() == language.RUSSIAN
    return at.strftime("%d.%m.%Y, %H:%M %Z" if russian else "%d %b %Y, %H:%M %Z")


def share(value: float) -> str:
    """A share or an F1 in three digits."""
    return decimal(value, 3)


def span(low: float, high: float) -> str:
    """Between two shares: `0.912 to 0.945`, in Russian `0,912–0,945`."""
    return translated("{low} to {high}", low=share(low), high=share(high))


def tenths(value: float) -> str:
    """With one digit after the point."""
    return decimal(value, 1)


def large(value: float, digits: int) -> str:
    """With thin spaces between thousands: `12 345.6`."""
    return language.written(f"{value:,.{digits}f}".replace(",", THIN))


def signed(value: float, digits: int = 3) -> str:
    """A difference, with its sign: `+0.022`."""
    return decimal(value, digits, sign="+")


def short(value: float, most: int = 6) -> str:
    """In as many digits as it needs, at most so many: `0.95`, `95`."""
    return language.written(f"{value:.{most}g}")


def duration(seconds: float) -> str:
    """`0.84 s`, `12.3 s`, `4 min 05 s` or `2 h 03 min`; in Russian `0,84 с`."""
    second, minute, hour = translated("s"), translated("min"), translated("h")
    if seconds < 59.95:
        return f"{decimal(seconds, 2 if seconds < 10 else 1)}{THIN}{second}"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}{minute} {rest:02}{THIN}{second}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}{hour} {minutes:02}{THIN}{minute}"


def rate(rows_per_second: float) -> str:
    """Rows per second: whole numbers from 10 on."""
    return count(round(rows_per_second)) if rows_per_second >= 10 else decimal(rows_per_second, 1)
