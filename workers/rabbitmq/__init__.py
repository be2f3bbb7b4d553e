"""All that is said to RabbitMQ: connection, topology, publishing, queues. What tasks do is in `workers.tasks`."""
