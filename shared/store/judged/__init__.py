"""Beside a label or a verdict in its row: who judged, and the evidence."""
