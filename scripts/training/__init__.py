"""The commands that start training runs and show them. Training itself is in `shared.training`."""
