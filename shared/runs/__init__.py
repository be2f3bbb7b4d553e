"""Training runs from request to promotion, with leases and folders. How a model is fitted is in `shared.training`."""
