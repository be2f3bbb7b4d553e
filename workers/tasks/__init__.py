"""The Celery tasks and how they are sent. What they do is in `shared`."""
