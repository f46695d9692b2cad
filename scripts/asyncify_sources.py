"""What in the blocking modules waits, and has to be copied for asyncio: found from `asyncify_words.WAITS` upwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from scripts import asyncify_words as words

__all__ = ["Sources", "blocking", "defined", "end_of", "prepared", "start_of"]


def running(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a function runs, and the functions within it, without what is in those."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield from running(child)


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name) and target.id != "__all__"]


class Sources:
    """Modules, and what in them waits or has to be copied.

    Args:
        texts: from the modules' names to their texts.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.trees = {name: ast.parse(text) for name, text in texts.items()}
        self.parents: dict[ast.AST, ast.AST] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.copied: set[tuple[str, str]] = set(words.COPIED)
        self.waiting: set[ast.AST] = set()
        for tree in self.trees.values():
            self.learn(tree)
        size = -1
        while size != (size := len(self.waiting) + len(self.copied)):
            for module, tree in self.trees.items():
                self._spread(module, tree)

    def learn(self, tree: ast.AST) -> None:
        """Note the parents of all nodes, and the classes."""
        for node in ast.walk(tree):
            self.parents.update(dict.fromkeys(ast.iter_child_nodes(node), node))
            if isinstance(node, ast.ClassDef):
                self.classes.setdefault(node.name, node)

    def _spread(self, module: str, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and self._waits(node):
                self.waiting.add(node)
        names = self.renames(module, tree).keys() - {"Response"} | {name for of, name in self.copied if of == module}
        for statement in tree.body:
            for node in ast.walk(statement) if not isinstance(statement, (ast.Import, ast.ImportFrom, ast.If)) else ():
                if node in self.waiting or (isinstance(node, ast.Name) and node.id in names):
                    self.copied.update((module, name) for name in defined(statement))

    def _waits(self, node: ast.FunctionDef) -> bool:
        cls = self.class_of(node)
        if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
            return self.method(cls, node.name) in self.waiting
        if (cls, node.name) in words.PLAIN:
            return False
        if cls in words.PROTOCOLS:
            return self.method(words.PROTOCOLS[cls], node.name) in self.waiting
        if cls and (node.name in words.WAITS.get(cls, ()) or node.name in ("__enter__", "__exit__")):
            return True
        return any(
            (isinstance(each, ast.Call) and self.is_awaited(each))
            or (isinstance(each, ast.For) and self.is_async_iterable(each.iter))
            or (isinstance(each, ast.With) and self.is_async_context(each.items[0].context_expr))
            for each in running(node)
        )  # fmt: skip

    def renames(self, module: str, tree: ast.AST) -> dict[str, str]:
        """From the names of a module that stand for something else in its twin, to those."""
        found = {name: self.twin_name(name) for of, name in self.copied if of == module}
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        for place in [(node.module or "", alias.name) for node in imports for alias in node.names]:
            if place in words.MOVED:
                found[place[1]] = words.MOVED[place][1]
            elif place in self.copied:
                found[place[1]] = self.twin_name(place[1])
        return found

    def twin_name(self, name: str) -> str:
        """The name of a copy."""
        return f"Async{name}" if name in self.classes and name[0] != "_" else name

    def class_of(self, node: ast.AST) -> str:
        """The class in whose body, or in whose methods, a node is."""
        while not isinstance(node, (ast.ClassDef, ast.Module)):
            node = self.parents[node]
        return node.name if isinstance(node, ast.ClassDef) else ""

    def bases(self, cls: str) -> list[str]:
        """A class, and those that it is derived from."""
        node = self.classes.get(cls)
        names = [ast.unparse(base).partition("[")[0] for base in node.bases] if node else []
        return [cls, *(found for name in names for found in self.bases(name))]

    def method(self, cls: str, name: str) -> ast.FunctionDef | None:
        """The method of a class."""
        for base in self.bases(cls):
            for node in reversed(self.classes[base].body) if base in self.classes else ():  # overloads come first
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return node
        return None

    def type_of(self, node: ast.AST) -> str:
        """The name of an expression's class, ``""`` where it is not known."""
        if isinstance(node, ast.Name):
            return self.class_of(node) if node.id == "self" else words.TYPES.get(node.id, "")
        if isinstance(node, ast.Attribute):
            method = self.method(self.type_of(node.value), node.attr)
            return self.returned(method) if method else words.TYPES.get(node.attr, "")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "super":
                return self.bases(self.class_of(node))[1]
            return node.func.id if node.func.id in self.classes else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            cls = self.type_of(node.func.value)
            method = self.method(cls, node.func.attr)
            returned = self.returned(method) if method else ""
            return cls if returned == "Self" else returned
        return ""

    def returned(self, method: ast.FunctionDef) -> str:
        """The class that a method returns."""
        text = re.split(r"\[| \|", ast.unparse(method.returns))[0] if method.returns else ""
        return text if text in self.classes or text == "Self" else ""

    def function(self, call: ast.Call) -> ast.FunctionDef | None:
        """What a call calls, where it is one of ours."""
        if isinstance(call.func, ast.Attribute):
            return self.method(self.type_of(call.func.value), call.func.attr)
        if not isinstance(call.func, ast.Name):
            return None
        name, node = call.func.id, self.parents.get(call)
        while node is not None:  # in the functions around it, then in the module
            for each in running(node) if isinstance(node, (ast.FunctionDef, ast.Module)) else ():
                if isinstance(each, ast.FunctionDef) and each.name == name:
                    return each
            node = self.parents.get(node)
        places = (self.trees[module] for module, copied in self.copied if copied == name)
        return next((each for tree in places for each in tree.body if getattr(each, "name", "") == name), None)  # type: ignore[return-value]

    def is_generator(self, node: ast.AST) -> bool:
        """Does it yield?"""
        return any(isinstance(each, (ast.Yield, ast.YieldFrom)) for each in running(node))

    def is_opener(self, node: ast.FunctionDef) -> bool:
        """Does it wait, and give something to be closed?"""
        return node in self.waiting and self.method(self.returned(node), "__enter__") is not None

    def is_awaited(self, call: ast.Call) -> bool:
        """Is ``await`` to be put before a call?"""
        around = self.parents.get(call)
        if isinstance(around, (ast.withitem, ast.Lambda)):
            return False
        while around is not None and not isinstance(around, ast.FunctionDef):
            around = self.parents.get(around)
        if around is not None and (self.class_of(around), around.name) in words.PLAIN:
            return False
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        found = self.function(call)
        if found is not None:
            return found in self.waiting and not self.is_generator(found)
        if isinstance(call.func, ast.Attribute):
            cls = self.type_of(call.func.value)
            if any(name in words.WAITS.get(base, ()) for base in self.bases(cls)):
                return True
        return name in words.CALLBACKS or name in words.SETTLED or ast.unparse(call.func) in words.THREADED

    def is_async_iterable(self, node: ast.AST) -> bool:
        """Does a loop over this wait?"""
        if isinstance(node, ast.Call):
            found = self.function(node)
            return found is not None and (
                found.name in words.ITERATORS or (found in self.waiting and self.is_generator(found))
            )
        method = self.method(self.type_of(node), "__iter__")
        return method in self.waiting

    def is_async_context(self, node: ast.AST) -> bool:
        """Does a ``with`` of this wait?"""
        found = self.function(node) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and ast.unparse(node.func) in words.CONTEXTS:
            return True
        if found is not None and found in self.waiting:
            return self.is_generator(found) or self.is_opener(found)
        return self.method(self.type_of(node), "__enter__") is not None


def start_of(node: ast.AST) -> tuple[int, int]:
    """Line and column of its first character."""
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def end_of(node: ast.AST) -> tuple[int, int]:
    """Line and column after its last character."""
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


def prepared(module: str, text: str) -> str:
    """A module's text with `words.WORDS` replaced."""
    text = re.sub(r"(?m)^.*# blocking only.*\n", "", text)
    for old, new in words.WORDS.get(module, ()):
        if old not in text:
            raise SystemExit(f"{module} has no longer {old!r}: change scripts/asyncify_words.py")
        text = text.replace(old, new)
    for old, new in words.WORDS[""]:
        text = text.replace(old, new)
    return text


def blocking(root: Path) -> dict[str, str]:
    """The modules that may have to be copied, prepared; none of which a part is written by hand."""
    by_hand = {module for module, _ in words.MOVED}
    paths = [path for folder in words.FOLDERS for path in sorted((root / folder).glob("[!_]*.py"))]
    texts = {".".join(path.relative_to(root).with_suffix("").parts): path.read_text(encoding="utf-8") for path in paths}
    return {name: prepared(name, text) for name, text in texts.items() if name not in by_hand}
