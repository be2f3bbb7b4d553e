"""Measured comparisons behind `otzyv bench`, with the peers they run against."""
