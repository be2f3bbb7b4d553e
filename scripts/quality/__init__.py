"""The commands that measure labels and set thresholds. The measures themselves are in `shared.quality`."""
