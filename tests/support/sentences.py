"""Every sentence that people are told in their language: of help and of code, by where it stands."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from scripts.cli import app
from scripts.command import help as helping
from scripts.pages.templates import ENVIRONMENT
from shared.classifiers.model_card import CALLED
from shared.serving import standing
from shared.stages.llm import UNSCORED
from shared.training.arguments import Arguments

SCRIPTS = Path(helping.__file__).parents[1]
Sentence = tuple[str, str | None]
"""What stands in the singular, and the plural of what is counted."""
ELSEWHERE = {
    "shared/serving/standing.py, NOBODY": standing.NOBODY,
    "shared/serving/standing.py, UNCERTIFIED": standing.UNCERTIFIED,
    "shared/stages/llm/server.py, UNSCORED": UNSCORED,
    **{f"shared/classifiers/model_card.py, {name}": said for name, said in CALLED.items()},
    **{
        f"shared/training/arguments.py, {name}": field.description
        for name, field in Arguments.model_fields.items()
        if field.description
    },
}
"""What `shared` says in English, to logs too, and a command in the language in use."""
TELLING = {"translated": 1, "counted": 2, "Sentence": 1, "left_out": 2}


def of_help() -> Iterator[tuple[str, Sentence]]:
    """Help of every command, group and option, and the words that Typer adds."""
    words = [*helping.WORDS.values(), helping.USAGE, "Show this message and exit."]
    yield from (("scripts/command/help.py", (word, None)) for word in words)
    for name, command in commands(typer.main.get_command(app), "otzyv"):
        texts = [command.help, command.epilog, command.short_help, command.options_metavar]
        texts += [getattr(one, "help", None) for one in command.params]
        texts += [getattr(command, "subcommand_metavar", None)]
        yield from ((name, (helping.sentence(text), None)) for text in texts if text)


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Every group and command of the program, by its name."""
    if hasattr(command, "loaded"):
        command = command.loaded()
    yield " ".join(path), command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, *path, name)


def of_code() -> Iterator[tuple[str, Sentence]]:
    """What `translated` and `counted` are called with."""
    yield from ((place, (said, None)) for place, said in ELSEWHERE.items())
    for path in sorted(SCRIPTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TELLING:
                found = [
                    one.value for one in node.args[: TELLING[node.func.id]] if isinstance(one, ast.Constant)
                ]
                if found:
                    yield f"{path.relative_to(SCRIPTS)}:{node.lineno}", (found[0], (*found, None)[1])


def of_templates() -> Iterator[tuple[str, Sentence]]:
    """What templates of pages and pictures say."""
    environment: Any = ENVIRONMENT
    for path in sorted([*SCRIPTS.rglob("*.html"), *SCRIPTS.rglob("*.svg")]):
        for line, _, said in environment.extract_translations(path.read_text(encoding="utf-8")):
            one, many = (said, None) if isinstance(said, str) else said[:2]
            yield f"{path.relative_to(SCRIPTS)}:{line}", (one, many)


def as_entries(missing: dict[Sentence, list[str]]) -> str:
    """Sentences as a `.po` file has them, ready to be translated."""
    blocks = []
    for (one, many), places in missing.items():
        lines = [*(f"#: {place}" for place in places[:3]), f"msgid {quoted(one)}"]
        forms = (
            ['msgstr ""']
            if many is None
            else [f"msgid_plural {quoted(many)}", *(f'msgstr[{n}] ""' for n in range(3))]
        )
        blocks.append("\n".join([*lines, *forms]))
    return "\n\n".join(blocks)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
