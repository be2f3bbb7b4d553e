"""Every error that Otzyv raises on purpose.

::

    OtzyvError
    ├── RetryableError           the same input may succeed later
    │   ├── DatabaseUnavailable    PostgreSQL cannot be reached, or gave up on this transaction
    │   └── BrokerUnavailable      RabbitMQ cannot be reached, or refused to confirm
    ├── PoisonError              this input can never succeed; it goes to the dead letters with the reason
    │   └── InvalidReview          breaks the wire contract
    └── ConfigurationError       a person has to change something before a new try
        ├── SettingsError          a value of the environment is out of range
        ├── TaxonomyError          a taxonomy file is malformed or contradicts itself
        ├── InputFileError         a file given to a command cannot be read as asked
        └── SchemaError            the database lacks migrations that this version needs

A message says what was expected, what was found and what to do. Driver errors are translated where they
enter: `shared.store` for PostgreSQL, `workers` for RabbitMQ.
"""

from __future__ import annotations


class OtzyvError(Exception):
    """The root: catch it to catch everything that Otzyv raises on purpose."""


class RetryableError(OtzyvError):
    """The same input may succeed later: a lost connection, a deadlock, a time-out."""


class DatabaseUnavailable(RetryableError):
    """PostgreSQL cannot be reached, or gave up on this transaction."""


class BrokerUnavailable(RetryableError):
    """RabbitMQ cannot be reached, or did not confirm a message."""


class PoisonError(OtzyvError):
    """This input can never succeed; retrying it would only repeat the failure."""


class InvalidReview(PoisonError):
    """A review, or a whole message, breaks the wire contract."""


class ConfigurationError(OtzyvError):
    """A person has to change something before a new try can succeed."""


class SettingsError(ConfigurationError):
    """A setting of the environment is missing, malformed or out of range."""


class TaxonomyError(ConfigurationError):
    """A taxonomy file is malformed or contradicts itself."""


class InputFileError(ConfigurationError):
    """A file given to a command cannot be read as asked."""


class SchemaError(ConfigurationError):
    """The database lacks migrations that this version needs."""
