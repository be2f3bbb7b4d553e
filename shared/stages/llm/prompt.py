"""What the model is asked: two messages, written from a template, a taxonomy and one review.

Everything that does not depend on the review comes first, in the system message: servers with a prefix cache, and
`shared.stages.llm.local`, compute it once. One prompt holds one review, so that whatever a review says can
change at most the answer about itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec

from shared.errors import ModelError
from shared.stages.llm.options import options_for
from shared.stages.llm.quotation import VERSION, quoted
from shared.taxonomy import Taxonomy

DEFAULT_TEMPLATE: Final = Path(__file__).with_name("prompt.ru.jinja")
MAX_CHARS: Final = 2000
"""Characters of a review that are shown; what was bought is said in the first ones."""
EXAMPLE_CHARS: Final = 300
"""Characters of a gold example that are shown."""
CATEGORY_EXAMPLES: Final = 4
"""Examples per category that are shown, the first ones of the taxonomy."""

NONE_OF_THEM: Final = "ничего из перечисленного или нельзя понять"
"""The title of the option that a taxonomy without a none category is given: its answer is an abstention."""


class Prompt(msgspec.Struct, frozen=True):
    """One question. `system` is the same for all reviews, `user` holds exactly one of them."""

    system: str
    user: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as chat messages."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]


class PromptWriter:
    """Writes prompts for one taxonomy; two writers with the same `version` write the same.

    The taxonomy's titles, descriptions and `category_examples` of each category are shown, its slugs are not.
    `template` is a Jinja template with the blocks `system` (gets the taxonomy's `question`, `categories`, `options`)
    and `user` (gets `review`, `examples`). It is trusted, unlike the reviews, which are only ever values in it.

    Raises TaxonomyError for more categories than options, ModelError where the template cannot be read, or lacks a
    block.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        template: Path = DEFAULT_TEMPLATE,
        max_chars: int = MAX_CHARS,
        category_examples: int = CATEGORY_EXAMPLES,
    ) -> None:
        self._max_chars = max_chars
        self._template, source = _compiled(template)
        slugs: list[str | None] = list(taxonomy.slugs)
        shown: list[dict[str, Any]] = [
            {"title": one.title, "description": one.description, "examples": one.examples[:category_examples]}
            for one in taxonomy.categories
        ]
        if taxonomy.none_category is None:
            slugs.append(None)
            shown.append({"title": NONE_OF_THEM, "description": "", "examples": ()})
        self.options: Final = options_for(len(slugs))
        """The answers allowed, in the order of the taxonomy."""
        self.slugs: Final[Mapping[str, str | None]] = dict(zip(self.options, slugs, strict=True))
        """The category of each option; None for the option that says that there is none."""
        self._option_of = {slug: option for option, slug in self.slugs.items() if slug is not None}
        described = [{"option": option, **one} for option, one in zip(self.options, shown, strict=True)]
        self._system = self._block(
            "system", question=taxonomy.question, categories=described, options=self.options
        )
        meaning = f"{VERSION}\0{max_chars}\0{EXAMPLE_CHARS}\0{source}\0{self._system}"
        self.version: Final = hashlib.sha256(meaning.encode()).hexdigest()[:12]
        """12 hex digits of SHA-256 over everything that a prompt is made of, but the review and its examples."""

    def write(self, text: str, examples: Iterable[tuple[str, str]] = ()) -> Prompt | None:
        """The prompt for one review, or None when nothing of `text` can be read.

        `examples` are pairs of text and slug, nearest first. Those of a category that the taxonomy does not have,
        and the review itself, are left out.
        """
        review = quoted(text, self._max_chars)
        if not review:
            return None
        shown = [
            {"text": quoted(example, EXAMPLE_CHARS), "option": self._option_of[slug]}
            for example, slug in examples
            if slug in self._option_of and quoted(example, self._max_chars) != review
        ]
        return Prompt(self._system, self._block("user", review=review, examples=shown))

    def _block(self, name: str, **values: Any) -> str:
        try:
            return "".join(self._template.blocks[name](self._template.new_context(values))).strip()
        except jinja2.TemplateError as error:
            raise ModelError(
                f"The prompt template: expected a block {name!r} that uses only the values it is given, "
                f"found: {error}. Compare with {DEFAULT_TEMPLATE.name}"
            ) from error


def _compiled(path: Path) -> tuple[jinja2.Template, str]:
    try:
        source = path.read_text(encoding="utf-8")
        # A prompt is not HTML: escaping would change the reviews, and they are cleaned elsewhere.
        environment = jinja2.Environment(
            autoescape=False,  # noqa: S701
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        template = environment.from_string(source)
    except (OSError, UnicodeDecodeError, jinja2.TemplateError) as error:
        raise ModelError(
            f"The prompt template {path.name}: expected a Jinja template, found: {error}"
        ) from error
    missing = {"system", "user"} - set(template.blocks)
    if missing:
        raise ModelError(
            f"The prompt template {path.name}: expected the blocks system and user, "
            f"found no {' and no '.join(sorted(missing))}. Compare with {DEFAULT_TEMPLATE.name}"
        )
    return template, source
