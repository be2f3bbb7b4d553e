"""Measurements that need services of their own: commands, not tests."""
