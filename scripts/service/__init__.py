"""The commands that run the service or look at it: workers, ingest, enqueue, status, health, schema."""
