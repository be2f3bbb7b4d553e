"""The colours of our pages and pictures, by what they mean: on light ground and on dark."""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "page": "#f6f6f3", "card": "#ffffff", "ink": "#1b1e24", "soft": "#565d68", "line": "#dfe0dc", "track": "#ecece8",
    "accepted": "#0f766e", "human": "#6d4fc4", "review": "#b86205", "waiting": "#8b93a1", "rejected": "#c42b2b",
    "mark": "#bfeee4", "mark-line": "#0f766e", "other": "#fbe3bf", "other-line": "#c96f08",
    "curve0": "#2a6fb3", "curve1": "#b3402a", "curve2": "#1f6f4a", "curve3": "#8a5fb0",
    "curve4": "#b07a12", "curve5": "#4a5666", "curve6": "#0f8b8d", "curve7": "#b0478f",
}  # fmt: skip
DARK: Final = {
    "page": "#14161a", "card": "#1c1f25", "track": "#2a2e36",
    "ink": "#e8e9ec", "soft": "#a6adb9", "line": "#31353e",
    "accepted": "#2fbfae", "human": "#a48cf0", "review": "#eda23a", "waiting": "#737c8b", "rejected": "#f07070",
    "mark": "#164d48", "mark-line": "#2fbfae", "other": "#52390f", "other-line": "#eda23a",
    "curve0": "#6aaae8", "curve1": "#ef8468", "curve2": "#5cc492", "curve3": "#bf9be0",
    "curve4": "#e0b04a", "curve5": "#a6adb9", "curve6": "#4cc8ca", "curve7": "#e58cc6",
}  # fmt: skip
CURVES: Final = tuple(name for name in LIGHT if name.startswith("curve"))
"""One for each line of a picture, in the order in which they are taken."""
IN_A_PAGE: Final = {name: f"var(--{name})" for name in LIGHT}
"""For pictures inside of a page, whose style sheet knows whether the reader's screen is light or dark."""
