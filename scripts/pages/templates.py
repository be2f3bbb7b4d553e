"""The Jinja templates of our pages and pictures: everything they print is escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment(package: str) -> Environment:
    """The templates that lie in a package of `scripts`, such as `labelling/report`."""
    return Environment(
        loader=PackageLoader("scripts", package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
