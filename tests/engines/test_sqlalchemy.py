"""SQLAlchemy, blocking and with asyncio, on real rqlite nodes, and on a real libSQL server and a replica of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import (
    REAL,
    Engine,
    ForeignKey,
    String,
    UniqueConstraint,
    create_engine,
    exc,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

if TYPE_CHECKING:
    from tests.engines.rqlite_cluster import Cluster

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("ignore::mesahub.dbapi.RollbackWarning"),
]


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    orders: Mapped[list[Order]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("customer_id", "number", name="numbered"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    number: Mapped[int]
    total: Mapped[float | None] = mapped_column(REAL)
    customer: Mapped[Customer] = relationship(back_populates="orders")


def _of_hosts(scheme: str, ports: list[int], database: str) -> str:
    first, *others = [f"127.0.0.1:{port}" for port in ports]
    return f"mesahub+{scheme}://{first}/{database}?{'&'.join(f'host={other}' for other in others)}"


@pytest.fixture(params=["rqlite", "libsql", "libsql-replica"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "rqlite":
        return _of_hosts("rqlite", request.getfixturevalue("rqlite").http, "")
    server = request.getfixturevalue("sqld")
    ports = server.http if request.param == "libsql-replica" else server.http[:1]
    return _of_hosts("libsql", ports, server.new_database())


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = create_engine(url)
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def _customers() -> list[Customer]:
    return [
        Customer(name=f"c{number}", orders=[Order(number=each, total=each / 4) for each in range(3)])
        for number in range(40)
    ]


def test_the_orm_stores_objects_and_their_keys(engine: Engine) -> None:
    with Session(engine) as session:
        session.add_all(_customers())
        session.commit()
        found = session.scalars(select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)).all()
        assert [(each.id, each.name) for each in found] == [(1 + number, f"c{number}") for number in range(40)]
        assert [[(order.number, order.total) for order in each.orders] for each in found] == [
            [(0, 0.0), (1, 0.25), (2, 0.5)]
        ] * 40
        found[0].name = "Ann"
        found[1].orders[2].total = None
        session.delete(found[2].orders[0])
        session.commit()
    with Session(engine) as session:
        assert session.get_one(Customer, 1).name == "Ann"
        assert session.scalar(select(func.count()).select_from(Order)) == 119
        assert session.scalar(select(Order.customer_id).where(Order.total.is_(None))) == 2


def test_returning_gives_the_rows_of_each_statement(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
        keys = connection.scalars(insert(Customer).returning(Customer.id, sort_by_parameter_order=True), rows)
        assert keys.all() == [1, 2, 3]
        changed = connection.execute(
            update(Customer).where(Customer.id >= 2).values(name=Customer.name + "!").returning(Customer.name)
        )
        assert sorted(changed.scalars()) == ["b!", "c!"]
        counted = connection.execute(update(Customer).values(name=Customer.name + "?"))
        assert counted.rowcount == 3
        assert connection.execute(insert(Customer).values(name="d")).inserted_primary_key == (4,)


def test_an_integrity_error_leaves_what_the_engine_promises(engine: Engine) -> None:
    def fail() -> None:
        with engine.begin() as connection:
            connection.execute(insert(Customer).values(name="Ann"))
            connection.execute(insert(Customer).values(name="Ann"))

    with pytest.raises(exc.IntegrityError, match="UNIQUE constraint failed"):
        fail()
    with engine.connect() as connection:
        kept = connection.scalars(select(Customer.name)).all()
        assert kept == ([] if connection.get_isolation_level() == "SERIALIZABLE" else ["Ann"])
    with pytest.raises(exc.IntegrityError), engine.begin() as connection:
        connection.execute(insert(Order).values(customer_id=99, number=1))


def test_a_rollback_takes_back_or_says_that_it_cannot(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(insert(Customer).values(name="Ann"))
        if connection.get_isolation_level() == "SERIALIZABLE":
            with connection.begin_nested() as point:
                connection.execute(insert(Customer).values(name="Bob"))
                point.rollback()
            assert connection.scalars(select(Customer.name)).all() == ["Ann"]
            connection.rollback()
            assert connection.scalars(select(Customer.name)).all() == []
        else:
            with pytest.raises(exc.NotSupportedError, match="cannot be rolled back"):
                connection.rollback()


def test_the_schema_is_read_back(engine: Engine) -> None:
    found = inspect(engine)
    assert sorted(found.get_table_names()) == ["customers", "orders"]
    columns = {each["name"]: each for each in found.get_columns("orders")}
    assert [(name, str(each["type"]), each["nullable"]) for name, each in columns.items()] == [
        ("id", "INTEGER", False),
        ("customer_id", "INTEGER", False),
        ("number", "INTEGER", False),
        ("total", "REAL", True),
    ]
    assert found.get_pk_constraint("orders")["constrained_columns"] == ["id"]
    (key,) = found.get_foreign_keys("orders")
    assert (key["constrained_columns"], key["referred_table"]) == (["customer_id"], "customers")
    assert [(each["name"], each["column_names"]) for each in found.get_unique_constraints("orders")] == [
        ("numbered", ["customer_id", "number"])
    ]
    assert [(each["name"], each["column_names"]) for each in found.get_indexes("orders")] == [
        ("ix_orders_customer_id", ["customer_id"])
    ]
    Base.metadata.drop_all(engine)
    assert inspect(engine).get_table_names() == []


def test_a_batch_on_rqlite_is_sent_at_the_commit(rqlite: Cluster) -> None:
    engine = create_engine(_of_hosts("rqlite", rqlite.http, "") + "&unit_of_work=batch")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER UNIQUE)"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        connection.rollback()
        connection.execute(text("INSERT INTO t VALUES (2)"))
        connection.execute(text("INSERT INTO t VALUES (2)"))
        with pytest.raises(exc.IntegrityError):
            connection.commit()
        connection.rollback()
        assert connection.scalars(text("SELECT n FROM t")).all() == []
    engine.dispose()


def test_the_same_with_asyncio(url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add_all(_customers())
            await session.commit()
        async with AsyncSession(engine) as session:
            found = await session.scalars(
                select(Customer).where(Customer.name == "c7").options(selectinload(Customer.orders))
            )
            assert [(order.number, order.total) for order in found.one().orders] == [(0, 0.0), (1, 0.25), (2, 0.5)]

        async def fail() -> None:
            async with engine.begin() as connection:
                await connection.execute(insert(Customer).values(name="Ann"))
                raise KeyError("a test's")

        with pytest.raises(KeyError):
            await fail()
        async with engine.connect() as connection:
            kept = await connection.scalar(select(func.count()).where(Customer.name == "Ann"))
            assert kept == (0 if await connection.get_isolation_level() == "SERIALIZABLE" else 1)

        async def put(number: int) -> int:
            async with engine.begin() as connection:
                made = await connection.scalar(insert(Customer).values(name=f"t{number}").returning(Customer.id))
                assert isinstance(made, int)
                return made

        made = await asyncio.gather(*(put(number) for number in range(8)))
        assert len(set(made)) == 8
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda run: inspect(run).get_table_names())
            assert sorted(names) == ["customers", "orders"]
            assert await connection.scalar(select(func.count()).where(Customer.name.like("t%"))) == 8
        await engine.dispose()

    asyncio.run(main())
