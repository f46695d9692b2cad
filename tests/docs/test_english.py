"""The project is written in plain technical English: a list of words and phrases is kept out of its prose.

Comments, docstrings, messages (strings that contain a space) and the documentation are checked. A line that needs one
of the words ends in the comment `# english: ok` (in Markdown, `<!-- english: ok -->`).
"""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = "english: ok"
PHRASES = re.compile(
    r"""\b(?:aside|anew|amid|behind|beside|kin|lies|mend(?:s|ed)?|nobody|nowhere|shall|stands|stranger|tells?|told|whom|heeds?
    |of\ a\ client's|an\ own|for\ ever|so\ many|in\ one's\ own|must\ all\ hold|by\ luck|as\ it\ comes|to\ be\ had
    |(?<!there\ )(?:is|are)\ no\ (?!longer|more|such))\b""",
    re.IGNORECASE | re.VERBOSE,
)
PYTHON = sorted(path for folder in ("mesahub", "transports") for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "mkdocs.yml")),
    ]
)


def prose(source: str) -> list[tuple[int, str]]:
    """Return (line, text) of the comments and of the strings that contain a space."""
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in kinds and " " in token.string:
            found += [(token.start[0] + number, text) for number, text in enumerate(token.string.split("\n"))]
    return found


def found_in(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    texts = prose(source) if path.suffix == ".py" else list(enumerate(lines, 1))
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group(0)!r} in {lines[number - 1].strip()}"
        for number, text in texts
        for match in PHRASES.finditer(text)
        if ALLOWED not in lines[number - 1]
    ]


def test_documentation_avoids_listed_phrases() -> None:
    assert [finding for path in PAGES for finding in found_in(path)] == []


def test_code_avoids_listed_phrases() -> None:
    assert [finding for path in PYTHON for finding in found_in(path)] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# Put it aside.\n", [(1, "# Put it aside.")]),
        ('"""One.\n\nTwo, behind it."""\n', [(1, '"""One.'), (2, ""), (3, 'Two, behind it."""')]),
        ("tell = 'kin'\n", []),
    ],
)
def test_prose_finds_comments_and_strings(source: str, expected: list[tuple[int, str]]) -> None:
    assert prose(source) == expected


@pytest.mark.parametrize("text", ["It is no number.", "There are none to be had.", "Told so.", "an own CA"])
def test_phrases_are_matched(text: str) -> None:
    assert PHRASES.search(text)


@pytest.mark.parametrize("text", ["There is no file.", "It is no longer open.", "kinds", "untold", "intellect"])
def test_other_words_are_not_matched(text: str) -> None:
    assert not PHRASES.search(text)
