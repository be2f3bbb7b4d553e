"""The only place with SQL. One module per table family; each function works on the cursor it is given.

Transactions belong to the caller: `with database.transaction() as cursor: reviews.upsert(cursor, ...)`.
"""

from shared.store.postgres.database import Database

__all__ = ["Database"]
