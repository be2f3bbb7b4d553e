"""Every error that Otzyv raises on purpose.

::

    OtzyvError
    ├── RetryableError           the same input may succeed later
    │   ├── DatabaseUnavailable    PostgreSQL cannot be reached, or gave up on this transaction
    │   ├── PositionLost           another process reads this stream now, or may
    │   ├── BrokerUnavailable      RabbitMQ cannot be reached, or refused to confirm
    │   │   ├── QueueFull            it took no more messages for a queue: somebody has to catch up first
    │   │   └── PublishingBlocked    it takes no messages at all: an alarm of its own, for memory or disk
    │   ├── ModelUnavailable       a model's server cannot be reached, is overloaded, or there is no memory now
    │   └── BudgetSpent            the day's tokens for the language model are used up
    ├── PoisonError              this input can never succeed; it goes to the dead letters with the reason
    │   ├── InvalidReview          breaks the wire contract
    │   └── InvalidAnswer          a model answered with none of the options, or refused this request
    └── ConfigurationError       a person has to change something before a new try
        ├── SettingsError          a value of the environment is out of range
        ├── TaxonomyError          a taxonomy file is malformed or contradicts itself
        ├── InputFileError         a file given to a command cannot be read as asked
        ├── ModelError             a model, or its server, cannot be used as configured
        │   └── ModelRefused         a worker that runs says that it cannot load a model
        ├── TrainingError          a training run cannot be done as asked: arguments, or too few labels
        └── SchemaError            the database lacks migrations that this version needs

A message says what was expected, what was found and what to do. Driver errors are translated where they
enter: `shared.store` for PostgreSQL, `workers` for RabbitMQ, `shared.stages.llm` for language models.
"""

from __future__ import annotations


class OtzyvError(Exception):
    """The root: catch it to catch everything that Otzyv raises on purpose."""


class RetryableError(OtzyvError):
    """The same input may succeed later: a lost connection, a deadlock, a time-out."""


class DatabaseUnavailable(RetryableError):
    """PostgreSQL cannot be reached, or gave up on this transaction."""


class PositionLost(RetryableError):
    """Another process reads this stream now, or may: nothing more of it is stored before it is claimed anew."""


class BrokerUnavailable(RetryableError):
    """RabbitMQ cannot be reached, or did not confirm a message."""


class QueueFull(BrokerUnavailable):
    """RabbitMQ refused a message because a queue is at its limit. Trying again helps once consumers have caught up."""


class PublishingBlocked(BrokerUnavailable):
    """RabbitMQ takes no messages while an alarm of its own lasts, for memory or disk."""


class ModelUnavailable(RetryableError):
    """A model's server cannot be reached, is overloaded or too slow, or there is no memory now.

    `retry_after_s` is how long the server asked to be left alone, if it did. `perhaps_billed` is how many requests were
    given up although the server may have answered them, and may bill them.
    """

    def __init__(self, message: str, retry_after_s: float | None = None, *, perhaps_billed: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.perhaps_billed = perhaps_billed


class BudgetSpent(RetryableError):
    """The day's tokens for the language model are used up; trying again helps tomorrow."""


class PoisonError(OtzyvError):
    """This input can never succeed; retrying it would only repeat the failure."""


class InvalidReview(PoisonError):
    """A review, or a whole message, breaks the wire contract."""


class InvalidAnswer(PoisonError):
    """A model answered with none of the options, or not in its protocol, or refused this one request.

    `tokens_in` and `tokens_out` are what the answer has cost all the same.
    """

    def __init__(self, message: str, tokens_in: int = 0, tokens_out: int = 0) -> None:
        super().__init__(message)
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out


class ConfigurationError(OtzyvError):
    """A person has to change something before a new try can succeed."""


class SettingsError(ConfigurationError):
    """A setting of the environment is missing, malformed or out of range."""


class TaxonomyError(ConfigurationError):
    """A taxonomy file is malformed or contradicts itself."""


class InputFileError(ConfigurationError):
    """A file given to a command cannot be read as asked."""


class ModelError(ConfigurationError):
    """A model, or its server, cannot be used as configured: no such model, wrong key, no chat template."""


class ModelRefused(ModelError):
    """A worker that runs says that it cannot load a model: it is promoted nowhere, and predicts nothing anew."""


class TrainingError(ConfigurationError):
    """A training run cannot be done as asked: an argument out of range, or too few labels."""


class SchemaError(ConfigurationError):
    """The database lacks migrations that this version needs."""
