"""How numbers are printed for people: thin spaces, units, no false precision."""

from __future__ import annotations

THIN = "\N{NARROW NO-BREAK SPACE}"
NONE = "–"


def count(number: int) -> str:
    """8297 as `8 297`, with a narrow no-break space."""
    return f"{number:,}".replace(",", THIN)


def percent(share: float) -> str:
    """0.5563 as `55.6%`; a part that would round to nothing or to everything says so."""
    if 0 < share < 0.001:
        return f"<{THIN}0.1%"
    if 0.999 < share < 1:
        return f">{THIN}99.9%"
    return f"{share * 100:.0f}%" if share in (0, 1) else f"{share * 100:.1f}%"


def confidence(value: float | None) -> str:
    """Two digits; a dash where there is none."""
    return NONE if value is None else f"{value:.2f}"


def duration(seconds: float) -> str:
    """`0.84 s`, `12.3 s`, `4 min 05 s` or `2 h 03 min`."""
    if seconds < 10:
        return f"{seconds:.2f}{THIN}s"
    if seconds < 59.95:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest:02}{THIN}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}h {minutes:02}{THIN}min"


def rate(rows_per_second: float) -> str:
    """Rows per second: whole numbers from 10 on."""
    return count(round(rows_per_second)) if rows_per_second >= 10 else f"{rows_per_second:.1f}"
