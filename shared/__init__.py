"""The domain: reviews, taxonomies, the cascade and its stages, the store. Knows nothing of Celery or AMQP."""
