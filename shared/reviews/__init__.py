"""A review, and the contract by which it comes. How it is stored is in `shared.store`."""
