"""English that people would be told whatever their language is: texts in code that no translation passes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.support.sentences import SCRIPTS, TELLING

PRINTERS: Final = {
    "print", "remark", "tell", "phase", "add_task", "confirm", "table", "Column", "figure", "name", "Text",
    "told_when_ended", "_line", "_reason", "status",
}  # fmt: skip
"""What puts its arguments before people: their words, however few."""
LOOKS: Final = {"style", "box", "overflow", "justify", "title_style", "title_justify"}
WORD: Final = re.compile(r"[A-Za-z]{2,}")
SENTENCE: Final = re.compile(r"[A-Za-z]{2,}\S*(?: \S+)* [A-Za-z]{2,}\S*(?: \S+)* [A-Za-z]{2,}")
"""Three words or more."""
COMMAND: Final = re.compile(r"`?otzyv [a-z{} -]+`?")
UNHEARD: Final = re.compile(
    r".*(Error|Refused|Unavailable)$|unknown|compile|fullmatch|search|Option|Argument|Typer"
)
"""Calls whose words are errors, which stay English, patterns, or help, which `of_help` asks for."""
NAMES: Final = {
    "text", "id", "created_at", "created_at (UTC)", "source", "meta", "--category-floor", "--stage-floor",
    "accepted", "needs_review", "human", "stream {}", "{}: {} UTC", "share",
    "error", "red", "yellow", "bold red", "not bold dim",
}  # fmt: skip
"""Fields, options and statuses, which are typed as they are; and looks."""
OF_ERRORS: Final = {
    "stored review with the id {}", "review of audit {}", "{} with the id {}",
    "{}, or keep every answer with `otzyv audit import --disagreements keep`",
    "it is used for training; OTZYV_GPU_SHARED=true shares it",
}  # fmt: skip
"""Parts of errors, and of reasons that a database or a file keeps."""
BEGIN: Final = (
    "otzyv predict: expected", "--from disagreements: expected", "a later row has the same id",
    "model {} is the champion", "A draft by otzyv taxonomy draft, from", "To do: name the categories,",
    "{}\n\\ No newline", "import imblearn", "rating=productValuation",
)  # fmt: skip
"""How what files, programs and other programs are told begins."""
ELSEWHERE: Final = ("bench", "language")
"""Benchmarks are for those who work on Otzyv."""
ERRORS: Final = "files"
"""A folder whose sentences are errors, but for what it prints."""

Values = Mapping[str, list[ast.expr]]
"""What names of a function, or of its module, are assigned."""


def unspoken(root: Path = SCRIPTS) -> Iterator[tuple[str, str]]:
    """Where it stands, and what would be said in English."""
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in ELSEWHERE:
            everywhere = path.relative_to(root).parts[0] != ERRORS
            for line, text in of_module(path.read_text(encoding="utf-8"), everywhere=everywhere):
                yield f"{path.relative_to(root)}:{line}", text


def of_module(code: str, *, everywhere: bool = True) -> list[tuple[int, str]]:
    """The same in one module: words for a printer, and sentences anywhere, if not for a printer alone."""
    tree = ast.parse(code)
    raised = {one.id for node in ast.walk(tree) if isinstance(node, ast.Raise) for one in _names(node)}
    return sorted({*Reader(raised, everywhere=everywhere).below(tree, {}, printed=False)})


class Reader:
    """Reads a module. What is assigned to a name that a raise names is a part of an error."""

    def __init__(self, raised: set[str], *, everywhere: bool) -> None:
        self._raised, self._everywhere = raised, everywhere

    def below(self, node: ast.AST, values: Values, *, printed: bool) -> Iterator[tuple[int, str]]:
        """The English in a part of the tree; `printed` where a printer would say it."""
        if isinstance(node, ast.Constant | ast.JoinedStr):
            text = _text(node)
            heard = bool(WORD.search(text)) if printed else self._everywhere and bool(SENTENCE.search(text))
            if heard and not _may_be_english(text):
                yield node.lineno, text
        elif isinstance(node, ast.Call):
            yield from self._of_call(node, values, printed=printed)
        elif isinstance(node, ast.Name) and printed:
            rest = {name: found for name, found in values.items() if name != node.id}
            for value in values.get(node.id, ()):
                yield from self.below(value, rest, printed=True)
        elif not self._is_unheard(node):
            if isinstance(node, ast.Module | ast.FunctionDef):
                values = {**values, **_assigned(node)}
            inside = printed and not isinstance(node, ast.Subscript)
            for child in _children(node):
                yield from self.below(child, values, printed=inside)

    def _is_unheard(self, node: ast.AST) -> bool:
        """Docstrings, what is compared, errors, and what becomes a part of one."""
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return any(one.id in self._raised for target in targets for one in _names(target))
        return isinstance(node, ast.Raise | ast.Compare)

    def _of_call(self, call: ast.Call, values: Values, *, printed: bool) -> Iterator[tuple[int, str]]:
        called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        of_log = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "log"
        if UNHEARD.fullmatch(called) or of_log:
            return
        printer = called in PRINTERS
        yield from self.below(call.func, values, printed=False)
        for one in call.args[TELLING.get(called, 0) :]:
            yield from self.below(one, values, printed=printer or (printed and called == "join"))
        for named in call.keywords:
            heard = (printer or called in TELLING) and named.arg not in LOOKS
            yield from self.below(named.value, values, printed=heard)


def _may_be_english(text: str) -> bool:
    return text in NAMES | OF_ERRORS or text.startswith(BEGIN) or bool(COMMAND.fullmatch(text))


def _children(node: ast.AST) -> Iterable[ast.AST]:
    """But for annotations, and the keys of a dictionary."""
    if isinstance(node, ast.Dict):
        return node.values
    notes = {getattr(node, "annotation", None), getattr(node, "returns", None)}
    return (child for child in ast.iter_child_nodes(node) if child not in notes)


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Name))


def _assigned(scope: ast.Module | ast.FunctionDef) -> Values:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and (isinstance(scope, ast.FunctionDef) or node in scope.body):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """A text, with `{}` for each value in it."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
