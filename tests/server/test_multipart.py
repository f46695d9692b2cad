"""Forms: what is a part, what is content, and what a form may cost."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.multipart import (
    HEAD_LIMIT,
    PARTS_LIMIT,
    PIECE,
    FilePart,
    parse_parameters,
    read_form,
)

KIND = "multipart/form-data; boundary=B"


class Counted(io.BytesIO):
    """A stream that counts what is read of it, and gives it in pieces of any size."""

    def __init__(self, data: bytes, most: int = PIECE) -> None:
        super().__init__(data)
        self.taken = 0
        self.most = most

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(min(size or -1, self.most))
        self.taken += len(piece)
        return piece


def read(body: bytes, kind: str = KIND, most: int = PIECE) -> tuple[dict[str, str], dict[str, bytes]]:
    files: dict[str, bytearray] = {}

    def open_file(part: FilePart) -> Callable[[bytes], None]:
        return files.setdefault(part.filename, bytearray()).extend

    fields = read_form(Counted(body, most), len(body), kind, open_file)
    return fields, {name: bytes(content) for name, content in files.items()}


def part(content: bytes, head: str = 'form-data; name="file"; filename="a"') -> bytes:
    return b"--B\r\nContent-Disposition: " + head.encode() + b"\r\n\r\n" + content + b"\r\n"


@pytest.mark.parametrize("most", [1, 2, 3, 7, PIECE])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"\r\n--Bx",
        b"\r\n--BB\r\n",
        b"\r\n--B0--\r\n",
        b"x--B\r\n",
        b"x--B--\r\n",
        b"\r\n\r\n",
        b"\r\r\n\n--B",
        b"\r\n--" * 9,
    ],
)
def test_content_that_resembles_the_boundary_is_kept(content: bytes, most: int) -> None:
    body = part(content) + part(b"last", 'form-data; name="n"') + b"--B--\r\n"
    assert read(body, most=most) == ({"n": "last"}, {"a": content})


def test_any_content_in_any_pieces_comes_back() -> None:
    random_ = random.Random(13)
    for _ in range(300):
        contents = [bytes(random_.choices(b"\r\n-Bx", k=random_.randrange(40))) for _ in range(3)]
        contents = [content for content in contents if b"\r\n--B" not in b"\r\n" + content]
        heads = [f'form-data; name="file"; filename="{number}"' for number in range(len(contents))]
        body = b"".join(part(content, head) for content, head in zip(contents, heads, strict=True)) + b"--B--"
        expected = {str(number): content for number, content in enumerate(contents)}
        assert read(body, most=random_.randrange(1, 9)) == ({}, expected)


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        ("form-data", {}),
        ("Form-Data ; NAME=a ;; Name=b", {"name": "a"}),
        (r'form-data; name="a\"b\\c"; filename="C:\dir\x.txt"', {"name": r'a"b\c', "filename": r"C:\dir\x.txt"}),
        ('form-data; name="a;b=c"; x=\t"y" ;z', {"name": "a;b=c", "x": "y"}),
        ('form-data; name="open', {"name": ""}),
        ("form-data; filename*=UTF-8''na%C3%AFve.txt", {"filename": "naïve.txt"}),
        ("form-data; filename*=iso-8859-1'en'na%EFve.txt", {"filename": "naïve.txt"}),
        ('form-data;name="a', {"name": ""}),
        ("", {}),
    ],
)
def test_parse_parameters(header: str, parameters: dict[str, str]) -> None:
    value, found = parse_parameters(header)
    assert (value in ("form-data", ""), found) == (True, parameters)


def test_folded_header_is_one_header() -> None:
    body = b'--B\r\nContent-Disposition: form-data;\r\n name="file";\r\n\tfilename="a"\r\n\r\nx\r\n--B--'
    assert read(body) == ({}, {"a": b"x"})


@pytest.mark.parametrize(
    "body",
    [
        part(b"x", "form-data; name=a" + ";" * HEAD_LIMIT) + b"--B--",
        part(b"x", 'form-data; name="' + "a" * HEAD_LIMIT + '"') + b"--B--",
        b"--B\r\n" + b"x: y\r\n" * HEAD_LIMIT,
        b"--B\r\n" + b"\r" * HEAD_LIMIT * 40,
        part(b"", "form-data; name=a") * (PARTS_LIMIT + 1) + b"--B--",
        part(b"x" * 11 * 1024 * 1024, "form-data; name=a") + b"--B--",
        part(b"x" * 6 * 1024 * 1024, "form-data; name=a") * 2 + b"--B--",
    ],
    ids=["semicolons", "name", "headers", "breaks", "parts", "field", "fields"],
)
def test_form_that_costs_too_much_is_rejected(body: bytes) -> None:
    with pytest.raises(RefusedError, match="invalid multipart form"):
        read(body)


@pytest.mark.parametrize("body", [b"\r" * 20 * PIECE, b"--B\r\n" + b"a" * 20 * PIECE], ids=["head", "no head"])
def test_head_too_long_is_rejected_before_all_is_read(body: bytes) -> None:
    stream = Counted(b"--B\r\n" + body)
    with pytest.raises(RefusedError):
        read_form(stream, len(body) + 5, KIND, lambda _: None)
    assert stream.taken <= PIECE


@pytest.mark.parametrize("boundary", ["", "x" * 201])
def test_boundary_is_limited(boundary: str) -> None:
    with pytest.raises(RefusedError):
        read(f"--{boundary}--".encode(), f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize("unit", [";", "; a", "; a=b", '; a="\\"', ';"', "; \t", "=", ' ;a="";', "\\", "; a*=x''%"])
def test_parsing_a_head_takes_linear_steps(unit: str) -> None:
    """Python steps, not seconds; what C scans within one step is bounded by the head's limit."""

    def steps(text: str) -> int:
        count = 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal count
            count += 1
            return trace

        sys.settrace(trace)
        try:
            parse_parameters(text)
        finally:
            sys.settrace(None)
        return count

    short, long = (steps("form-data" + unit * count) for count in (100, 1000))
    assert long <= 11 * short
