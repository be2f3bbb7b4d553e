"""What a stage answers and what is kept of it, as pure functions. The stages themselves are in `shared.stages`."""
