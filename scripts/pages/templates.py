"""The Jinja templates of our pages and pictures: everything they print is escaped.

A page is one file that needs nothing else: no network, no script, no font. Review text is hostile, so the page's own
content security policy forbids scripts and loading, and characters that no HTML file may hold are replaced here.
"""

from __future__ import annotations

import re
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from scripts.pages import figures

# C0 controls, DEL, C1 controls, lone surrogates and the two non-characters: HTML allows none of them.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TEMPLATES: Final = Environment(
    loader=PackageLoader("scripts", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["figures"] = figures


def rendered(template: str, **values: Any) -> str:
    """A page or a picture, ready to be written as UTF-8; a picture can stand in a page as it is.

    `template` is a file below `scripts`, such as `labelling/report/report.html`.
    """
    text = _TEMPLATES.get_template(template).render(**values)
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
