"""Metrics, health and the state of the whole system. Changes nothing."""
