"""What a Celery worker does besides its tasks: consume, break off, write its log. Knows no task."""
