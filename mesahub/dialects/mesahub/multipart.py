"""Multipart forms that carry one file, sent piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from mesahub.errors import ArgumentError
from mesahub.transport import BodyStream, FileBody, Request

__all__ = ["FORM_FIELDS", "MultipartBody", "checked_content_type", "encode_form", "encode_upload"]

FORM_FIELDS = ("filename", "folder_path", "conflict_mode", "metadata", "expires_in")
"""Fields of an upload's payload other than the file; ``content_type`` travels with the file's own part."""


class MultipartBody:
    """A form: its text, the file, its end. The file is read while it is sent.

    Args:
        head: everything before the file's bytes.
        file: the file.
        tail: everything after.
    """

    __slots__ = ("_file", "_head", "_tail")

    def __init__(self, head: bytes, file: bytes | FileBody, tail: bytes) -> None:
        self._head = head
        self._file = file
        self._tail = tail

    def __len__(self) -> int:
        return len(self._head) + len(self._file) + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        if isinstance(self._file, bytes):
            if self._file:
                yield self._file
        else:
            yield from self._file
        yield self._tail


def encode_upload(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    """The encoder of ``files.upload``: the payload's fields and the body, as the server's form wants them.

    The file's part must be named ``file`` and have a filename; the real name is in the field ``filename``,
    which has no quoting to get wrong.
    """
    payload = request.payload
    fields = [(name, str(payload[name])) for name in FORM_FIELDS if payload.get(name) is not None]
    return encode_form(fields, request.body or b"", payload.get("filename") or "file", payload.get("content_type"))


def encode_form(
    fields: Iterable[tuple[str, str]], file: bytes | FileBody, filename: str, content_type: str | None
) -> tuple[MultipartBody, str]:
    """A form of text fields and one file, and its content type.

    Args:
        fields: (name, value) pairs, sent before the file.
        file: the file's content.
        filename: its name.
        content_type: its media type; ``None`` leaves the line out.
    """
    # Random, so that no file can hold it: 128 bits, as unguessable as a UUID.
    boundary = f"mesahub-{os.urandom(16).hex()}"
    lines = []
    for name, value in fields:
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n')
    lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(filename)}"\r\n')
    if content_type:
        lines.append(f"Content-Type: {checked_content_type(content_type)}\r\n")
    lines.append("\r\n")
    try:
        head = "".join(lines).encode()
    except UnicodeEncodeError:
        raise ArgumentError("The file's name or a field holds a lone surrogate, which is not text.") from None
    return MultipartBody(head, file, f"\r\n--{boundary}--\r\n".encode()), f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    # As browsers do (HTML, "multipart form data"): percent-encode what would end the quoted text.
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def checked_content_type(text: str) -> str:
    """A media type that can stand in a header, or `ArgumentError`."""
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        raise ArgumentError(f"A content type is plain ASCII such as 'text/csv', not {text!r}.")
    return text
