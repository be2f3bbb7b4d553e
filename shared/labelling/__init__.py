"""Batches through the stages and into the store, for workers and the embedded run alike. Knows no broker."""
