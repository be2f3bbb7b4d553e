"""The Jinja templates of our pages and pictures: everything they print is escaped.

A page is one file that needs nothing else: no network, no font. Review text is hostile, so the page's own content
security policy forbids loading, and every script but ours, which it knows by its hash; characters that no HTML file may
hold are replaced here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from scripts.language import language
from scripts.pages import colours, figures

# C0 controls, DEL, C1 controls, lone surrogates and the two non-characters: HTML allows none of them.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
ENVIRONMENT: Final = Environment(
    loader=PackageLoader("scripts", "."),
    autoescape=True,
    extensions=["jinja2.ext.i18n"],
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.policies["ext.i18n.trimmed"] = True
# Sentences of templates are in the same catalogue as those of code, with their markup; what is put in is escaped.
ENVIRONMENT.install_gettext_callables(  # type: ignore[attr-defined]
    language.translated,
    lambda one, many, number: language.catalogue(language.current()).ngettext(one, many, number),
    newstyle=True,
)
SCRIPT: Final = files("scripts.pages").joinpath("script.js").read_text(encoding="utf-8")
"""What every page runs: search and "show all" in tables and lists."""
_HASH: Final = b64encode(sha256(SCRIPT.encode()).digest()).decode()
ENVIRONMENT.globals |= {
    "language": language,
    "figures": figures,
    "colours": colours,
    "script": SCRIPT,
    "script_hash": f"sha256-{_HASH}",
}


def rendered(template: str, **values: Any) -> str:
    """A page or a picture, ready to be written as UTF-8.

    `template` is a file below `scripts`, such as `labelling/report/report.html`. A picture takes its colours from
    `paint`: those of `colours.LIGHT` in a file of its own, those of `colours.IN_A_PAGE` where it stands in a page.
    """
    text = ENVIRONMENT.get_template(template).render(**values)
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
