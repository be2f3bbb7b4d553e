"""Benchmarks of the whole way through RabbitMQ and PostgreSQL. Those of single parts are one folder up."""
