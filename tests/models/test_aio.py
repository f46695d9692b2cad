"""Typed rows are the same for asyncio."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import pytest

import mesahub
from mesahub import NoSuchColumnError, stored


@dataclass
class Member:
    name: str
    since: Annotated[date | None, stored.iso] = None
    id: Annotated[int | None, stored.default] = None


@dataclass
class Wrong:
    id: int
    nmae: str


def test_asynchronous_tables_take_and_give_instances() -> None:
    async def main() -> None:
        async with mesahub.aio.connect(":memory:") as db:
            await db.exec("CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT, since DATE)")
            members = db.table("members", Member)
            ann = await members.insert(Member("Ann", date(2026, 1, 31)))
            assert ann == await members.get(1) == Member("Ann", date(2026, 1, 31), 1)
            assert (await members.insert_many([Member("Bob"), Member("Cem")])).rows_affected == 2
            assert [member.name async for member in members.iterate(order_by="-name", batch_size=2)] == [
                "Cem",
                "Bob",
                "Ann",
            ]
            rows = await db.rows("SELECT name, max(since) AS since FROM members", model=Member)
            assert rows.one() == Member("Ann", date(2026, 1, 31))
            async with db.batch() as batch:
                batch.table("members", Member).insert(Member("Dee"))
            assert await members.find({"name": "Dee"}) == [Member("Dee", None, 4)]
            with pytest.raises(NoSuchColumnError, match=r"Wrong\.nmae needs column 'nmae' of table 'members'"):
                await db.table("members", Wrong).find()

    asyncio.run(main())
