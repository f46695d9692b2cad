"""Make `mesahub.aio` of the blocking classes: ``python -m scripts.asyncify``. With ``--check``, compare only.

A function becomes ``async def`` where it calls something that waits. What does is found from `WAITS`, the seam to the
transport, upwards. What does not wait is imported from the blocking module, not copied. A class that is copied is
called ``Async...``. `asyncify_words` holds what differs beyond that.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import asyncify_words as words
from scripts.asyncify_sources import Sources, blocking, defined, end_of, start_of

ROOT = Path(__file__).parent.parent
HEADER = "# Made by scripts/asyncify.py of {}: change that, and run `make aio`.\n"


class Twin:
    """The edits that make one text its twin.

    Args:
        sources: all modules.
        text: what to edit.
        statements: those of the text that are kept.
        renames: names that change.
    """

    def __init__(self, sources: Sources, text: str, statements: list[ast.stmt], renames: dict[str, str]) -> None:
        self.sources = sources
        self.renames = renames
        self._text = text.encode()
        lines = self._text.splitlines(keepends=True)
        self._lines = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
        self._edits: list[tuple[int, int, int, str]] = []
        for statement in statements:
            self._visit(statement)

    def result(self) -> str:
        """The text with the edits."""
        text = self._text
        for start, end, _, new in sorted(self._edits, reverse=True):
            text = text[:start] + new.encode() + text[end:]
        return text.decode()

    def edit(self, start: tuple[int, int], end: tuple[int, int], new: str, *, after: bool = False) -> None:
        """Replace a part of the text, from line and column to line and column. ``after``: what came first is last."""
        first, last = (self._lines[line - 1] + column for line, column in (start, end))
        order = len(self._edits)
        self._edits.append((first, last, -order if after else order, new))

    def _insert(self, node: ast.AST, new: str, *, after: bool = False) -> None:
        place = end_of(node) if after else start_of(node)
        self.edit(place, place, new, after=after)

    def _visit(self, node: ast.AST) -> None:
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is None or handler(node) is not False:
            for child in ast.iter_child_nodes(node):
                self._visit(child)

    def _importfrom(self, node: ast.ImportFrom) -> None:
        names: dict[str, list[str]] = {}
        module = node.module or ""
        if not module.startswith("mesahub"):
            return
        for alias in node.names:
            place = words.MOVED.get((module, alias.name))
            if place is None:
                copied = (module, alias.name) in self.sources.copied
                place = (twin_module(module), self.renames[alias.name]) if copied else (module, alias.name)
            names.setdefault(place[0], []).append(place[1])
        indent = "\n" + " " * node.col_offset
        lines = [f"from {module} import {', '.join(found)}" for module, found in names.items()]
        self.edit(start_of(node), end_of(node), indent.join(lines))

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):  # a docstring or a message
            start, end = (self._lines[line - 1] + column for line, column in (start_of(node), end_of(node)))
            self.edit(start_of(node), end_of(node), retold(self.sources, self._text[start:end].decode()))

    def _joinedstr(self, node: ast.JoinedStr) -> bool:
        self._constant(ast.copy_location(ast.Constant(""), node))
        return False  # Python 3.11 does not say where things are in it

    def _name(self, node: ast.Name) -> None:
        if node.id in self.renames:
            self.edit(start_of(node), end_of(node), self.renames[node.id])

    def _attribute(self, node: ast.Attribute) -> None:
        new = words.RENAMED.get((self.sources.type_of(node.value), node.attr))
        if new:
            line, column = end_of(node)
            self.edit((line, column - len(node.attr)), (line, column), new)

    def _classdef(self, node: ast.ClassDef) -> None:
        line, column = node.lineno, node.col_offset + len("class ")
        self.edit((line, column), (line, column + len(node.name)), self.renames.get(node.name, node.name))

    def _functiondef(self, node: ast.FunctionDef) -> None:
        generates = self.sources.is_generator(node)
        if node in self.sources.waiting:
            opens = self.sources.is_opener(node)
            self._insert(node, ("@opening\n" + " " * node.col_offset if opens else "") + "async ")
            line, column = node.lineno, node.col_offset + len("def ")
            self.edit((line, column), (line, column + len(node.name)), words.RENAMED.get(("", node.name), node.name))
            for decorator in node.decorator_list:
                if ast.unparse(decorator) == "contextmanager":
                    self.edit(start_of(decorator), end_of(decorator), "asynccontextmanager")
        if node.name in words.ITERATORS or (generates and node in self.sources.waiting):
            assert node.returns is not None
            self._insert(node.returns, "Async")

    def _call(self, node: ast.Call) -> None:
        if not self.sources.is_awaited(node):
            return
        parent = self.sources.parents.get(node)
        attribute = isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Subscript) and parent.value is node)
        opening, closing = ("(await ", ")") if attribute else ("await ", "")
        if ast.unparse(node.func) in words.THREADED:
            opening += "asyncio.to_thread("
            line, column = end_of(node.func)
            self.edit((line, column), (line, column + 1), ", ")
        elif isinstance(node.func, ast.Name) and node.func.id in words.SETTLED:
            opening, closing = f"{opening}settled(", f"){closing}"
        self._insert(node, opening)
        if closing:
            self._insert(node, closing, after=True)

    def _with(self, node: ast.With) -> None:
        if self.sources.is_async_context(node.items[0].context_expr):
            self._insert(node, "async ")

    def _for(self, node: ast.For) -> None:
        if self.sources.is_async_iterable(node.iter):
            self._insert(node, "async ")

    def _yieldfrom(self, node: ast.YieldFrom) -> None:
        waits = "async " if self.sources.is_async_iterable(node.value) else ""
        self.edit(start_of(node), start_of(node.value), f"{waits}for each in ")
        self._insert(node, ": yield each", after=True)


def retold(sources: Sources, text: str) -> str:
    """A docstring, or another text, in the words of the twin: its names, and its examples awaited."""
    names = {name: sources.twin_name(name) for _, name in sources.copied if sources.twin_name(name) != name}

    def renamed(found: re.Match[str]) -> str:
        span = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), found[0])
        return re.sub(r"\bmesahub\.(?=(\w+\.)*Async|connect\b)", "mesahub.aio.", span)

    def awaited(found: re.Match[str]) -> str:
        code = re.sub(r"(?m)^ *(>>>|\.\.\.) ", "", found[0])
        tree = ast.parse(code)
        sources.learn(tree)
        lines = Twin(sources, code, tree.body, names).result().splitlines()
        prefixes = re.findall(r"(?m)^ *(?:>>>|\.\.\.) ", found[0])
        return "".join(f"{prefix}{line}\n" for prefix, line in zip(prefixes, lines, strict=True))

    text = re.sub(r"``[^`]+``|`[^`]+`|\bMesahub\w*Client\b|(?<=<)\w+|mesahub\.connect\b", renamed, text)
    return re.sub(r"(?m)^ *>>> .*\n(?: *\.\.\. .*\n)*", awaited, text)


def twin_module(module: str) -> str:
    """``mesahub.files`` becomes ``mesahub.aio.files``."""
    return module.replace("mesahub", "mesahub.aio", 1)


def twin(sources: Sources, module: str) -> str:
    """The text of a module's twin, not formatted yet."""
    tree = sources.trees[module]
    own, kept, removed, place, keeps = [], [], [], (1, 0), True
    for statement in tree.body:
        if defined(statement):
            keeps = any((module, name) in sources.copied for name in defined(statement))
            own += [] if keeps else defined(statement)
        elif not isinstance(statement, ast.Expr):
            keeps = not isinstance(statement, ast.Assign)  # __all__ is written again
        if keeps:
            kept.append(statement)
        else:
            removed.append((place, end_of(statement)))
        place = end_of(statement)
    work = Twin(sources, sources.texts[module], kept, sources.renames(module, tree))
    for start, end in removed:
        work.edit(start, end, "")
    first = tree.body[1]
    names = sorted(sources.twin_name(name) for of, name in sources.copied if of == module and name[0] != "_")
    imports = f"from {module} import {', '.join(own)}\n" if own else ""
    work.edit(end_of(first), end_of(first), f"\n{words.IMPORTS}{imports}")
    last = [each for each in tree.body if isinstance(each, (ast.Import, ast.ImportFrom, ast.If))][-1]
    work.edit(end_of(last), end_of(last), f"\n\n__all__ = {names!r}\n")
    return HEADER.format(module.replace(".", "/") + ".py") + work.result()


def package(text: str, names: dict[str, list[str]]) -> str:
    """The ``__init__.py`` of a package."""
    header = f'{HEADER.format("scripts/asyncify_words.py")}"""{text}"""\n\nfrom __future__ import annotations\n\n'
    imports = "".join(f"from {module} import {', '.join(found)}\n" for module, found in names.items())
    exported = [name for found in names.values() for name in found]
    return header + imports + (f"\n__all__ = {exported!r}\n" if exported else "")


def formatted(texts: dict[str, str]) -> dict[str, str]:
    """Texts without unused imports, as ruff formats them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, name) for name in texts}
        for name, text in texts.items():
            paths[name].parent.mkdir(parents=True, exist_ok=True)
            paths[name].write_text(text, encoding="utf-8")
        for arguments in (["check", "--fix-only", "--quiet", "--select", "F401,I"], ["format", "--quiet"]):
            command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--config", "pyproject.toml", folder]
            subprocess.run(command, check=True, cwd=ROOT)
        return {name: path.read_text(encoding="utf-8") for name, path in paths.items()}


def main(arguments: list[str]) -> int:
    """Write the files, or compare."""
    sources = Sources(blocking(ROOT))
    names = {module for module, _ in sources.copied}
    made = {f"{twin_module(name).replace('.', '/')}.py": twin(sources, name) for name in names}
    made |= {f"{name.replace('.', '/')}/__init__.py": package(*parts) for name, parts in words.PACKAGES.items()}
    wrong = []
    for name, text in formatted(made).items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    wrong += sorted({str(path.relative_to(ROOT)) for path in (ROOT / "mesahub/aio").rglob("*.py")} - made.keys())
    if "--check" in arguments and wrong:
        print("Not what `make aio` makes:", *wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
