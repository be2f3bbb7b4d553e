"""Alembic as tests use it: back to an earlier schema."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from shared.store import Database


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("shared.store") / "migrations"))
    return config


def downgrade(database: Database, version: str = "base") -> None:
    config = alembic()
    with database.connection() as raw:
        engine = create_engine("postgresql+psycopg2://", creator=lambda: raw, poolclass=NullPool)
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, version)
            connection.commit()
