"""Every Python value is stored exactly, or refused with a reason."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, UserString
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import pytest

from mesahub import ArgumentError
from mesahub.sql import adapt, register_adapter
from mesahub.sql import values as module


class Plain(enum.Enum):
    A = "a"
    DAY = date(2026, 1, 31)


class Number(enum.IntEnum):
    FIVE = 5


class Word(str, enum.Enum):  # noqa: UP042
    A = "a"


class Permission(enum.IntFlag):
    READ = 1
    WRITE = 2


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyText(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not what is stored"


class MyBytes(bytes):
    pass


class MyDate(datetime):
    pass


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(module._registered)
    yield
    module._registered.clear()
    module._registered.update(before)


EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (-0.0, -0.0),
        (5e-324, 5e-324),
        ("ä\0€", "ä\0€"),
        (b"\0", b"\0"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        (datetime(2026, 1, 31, 12, 30), "2026-01-31 12:30:00"),
        (datetime(2026, 1, 31, 12, 30, 0, 5, tzinfo=UTC), "2026-01-31 12:30:00.000005+00:00"),
        (datetime(2026, 1, 31, 12, 30, tzinfo=EAST), "2026-01-31 12:30:00+05:30"),
        (MyDate(2026, 1, 31), "2026-01-31 00:00:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (time(1, 2, 3, tzinfo=UTC), "01:02:03+00:00"),
        (Decimal("1.10"), "1.10"),
        (Decimal("-1E+30"), "-1E+30"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Path("a") / "b", str(Path("a") / "b")),
        (PurePosixPath("/a"), "/a"),
        (PureWindowsPath("C:/a"), "C:\\a"),
        (Plain.A, "a"),
        (Plain.DAY, "2026-01-31"),
        (Number.FIVE, 5),
        (Word.A, "a"),
        (Permission.READ | Permission.WRITE, 3),
        (MyInt(5), 5),
        (MyFloat(0.5), 0.5),
        (MyText("a"), "a"),
        (MyBytes(b"a"), b"a"),
    ],
)
def test_what_is_stored(value: Any, stored: Any) -> None:
    got = adapt(value)
    assert (type(got), repr(got)) == (type(stored), repr(stored))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**63, "9223372036854775808 does not fit into SQLite's 64 bits. Store it as text"),
        (-(2**63) - 1, "does not fit"),
        pytest.param(10**5000, "of 16610 bits does not fit", id="huge"),
        (MyInt(2**63), "does not fit"),
        (math.nan, "nan cannot be stored: JSON has no such number"),
        (math.inf, "inf cannot be stored"),
        (MyFloat("-inf"), "-inf cannot be stored"),
        (Decimal("NaN"), "cannot be stored. Use None, or text"),
        (Decimal("sNaN"), "cannot be stored"),
        (Decimal("Infinity"), "cannot be stored"),
        ("ab\udcff", r"lone surrogate \(U\+DCFF\) at position 2, .* os.fsencode"),
        (MyText("\ud800"), "lone surrogate"),
        (Path("\udcff"), "lone surrogate"),
        ([1], "type list cannot be stored in SQLite. Store it as JSON text: json.dumps"),
        ((1,), "json.dumps"),
        ({"a": 1}, "json.dumps"),
        (OrderedDict(a=1), "OrderedDict cannot be stored in SQLite. Store it as JSON text"),
        ({1}, "json.dumps"),
        (frozenset(), "json.dumps"),
        (
            object(),
            r"type object cannot be stored.*Register an adapter: mesahub.sql.register_adapter\(type, function\)",
        ),
        (timedelta(1), "timedelta cannot be stored in SQLite. Register an adapter"),
        (1j, "complex"),
        (UserString("a"), "UserString"),
        (int, "type type"),
    ],
)
def test_what_cannot_be_stored_says_why(value: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        adapt(value)


@pytest.mark.usefixtures("registry")
def test_a_registered_adapter_serves_the_type_and_its_subclasses() -> None:
    class Near(Fraction):
        pass

    register_adapter(Fraction, str)
    assert adapt(Fraction(1, 3)) == adapt(Near(1, 3)) == "1/3"
    register_adapter(Near, float)
    assert adapt(Near(1, 4)) == 0.25
    assert adapt(Fraction(1, 4)) == "1/4"


@pytest.mark.usefixtures("registry")
def test_a_registered_adapter_goes_before_ours() -> None:
    register_adapter(datetime, lambda value: int(value.timestamp()))
    register_adapter(enum.Enum, lambda value: value.name)
    assert adapt(datetime(1970, 1, 2, tzinfo=UTC)) == 86_400
    assert [adapt(value) for value in (Plain.A, Number.FIVE, Word.A)] == ["A", "FIVE", "A"]


@pytest.mark.usefixtures("registry")
def test_the_nearest_class_decides() -> None:
    register_adapter(date, lambda value: value.strftime("%d.%m.%Y"))
    assert adapt(date(2026, 1, 31)) == "31.01.2026"
    # A datetime is a date too, but would lose its time.
    assert adapt(datetime(2026, 1, 31, 12)) == "2026-01-31 12:00:00"


@pytest.mark.usefixtures("registry")
def test_an_adapter_may_give_what_has_an_adapter() -> None:
    register_adapter(IPv4Address, lambda value: Path(str(value)))
    assert adapt(IPv4Address("127.0.0.1")) == "127.0.0.1"
    register_adapter(IPv4Address, lambda value: value)
    with pytest.raises(ArgumentError, match="adapter of IPv4Address returns a value that needs an adapter again"):
        adapt(IPv4Address("127.0.0.1"))
    register_adapter(IPv4Address, lambda value: math.nan)
    with pytest.raises(ArgumentError, match="nan cannot be stored"):
        adapt(IPv4Address("127.0.0.1"))


@pytest.mark.parametrize("type_", [int, str, float, bytes, bool, type(None)])
def test_what_is_stored_as_it_is_takes_no_adapter(type_: type) -> None:
    with pytest.raises(ArgumentError, match="stored unchanged"):
        register_adapter(type_, str)


@pytest.mark.parametrize("arguments", [("int", str), (Fraction, "str"), (None, None)])
def test_an_adapter_is_a_type_and_a_function(arguments: Any) -> None:
    with pytest.raises(ArgumentError, match="a type and a function"):
        register_adapter(*arguments)
