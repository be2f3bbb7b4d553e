"""Incoming messages of a queue or a stream into the store. What a message looks like is in `shared.reviews`."""
