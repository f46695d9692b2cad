"""SQLAlchemy Core and PyPika, compiling the find of five conditions."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[[int], object]


def sqlalchemy_find() -> Run:
    from sqlalchemy import Column, Integer, MetaData, Table, Text, select
    from sqlalchemy.dialects import sqlite

    users = Table(
        "users",
        MetaData(),
        Column("active", Integer),
        Column("age", Integer),
        Column("name", Text),
        Column("role", Text),
        Column("deleted_at", Text),
        Column("created_at", Text),
    )
    dialect = sqlite.dialect(paramstyle="qmark")
    c = users.c

    def run(n: int) -> None:
        for _ in range(n):
            statement = (
                select(users)
                .where(c.active == 1, c.age >= 18, c.name.like("%alice%"))
                .where(c.role.in_(["admin", "editor"]), c.deleted_at.is_(None))
                .order_by(c.created_at.desc())
                .limit(10)
                .offset(20)
            )
            str(statement.compile(dialect=dialect))

    return run


def pypika_find() -> Run:
    from pypika import Order, Table
    from pypika.dialects import SQLLiteQuery

    users = Table("users")

    def run(n: int) -> None:
        for _ in range(n):
            query = (
                SQLLiteQuery.from_(users)
                .select("*")
                .where(users.active == 1)
                .where(users.age >= 18)
                .where(users.name.like("%alice%"))
                .where(users.role.isin(["admin", "editor"]))
                .where(users.deleted_at.isnull())
                .orderby(users.created_at, order=Order.desc)
                .limit(10)
                .offset(20)
            )
            query.get_sql()

    return run
