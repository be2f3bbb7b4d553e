"""The commands around registered models: registry, predictions, backfill, drift."""
