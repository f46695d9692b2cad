"""SQLAlchemy on mesahub: URLs, the ORM, reflection, transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    UniqueConstraint,
    create_engine,
    exc,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import QueuePool, StaticPool

from mesahub import dbapi
from mesahub.integrations.sqlalchemy import MesahubDialect, mesahub_url
from tests.servers import Server


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mesahub+mh://:K%2F1@host:4004/shop", "mh://K%2F1@host:4004/shop"),
        ("mesahub://:key@host/shop?transport=requests", "mh://key@host/shop?transport=requests"),
        ("mesahub+mh://host/shop", "mh://host/shop"),
        ("mesahub+mh://local/shop?data=%2Ftmp", "mh://local/shop?data=%2Ftmp"),
        ("mesahub:///shop", "mh://local/shop"),
        ("mesahub://", None),
        ("mesahub+sqlite:///relative.db", "sqlite:///relative.db"),
        ("mesahub+sqlite:////absolute/my%20file.db?mode=ro", "sqlite:////absolute/my%20file.db?mode=ro"),
        ("mesahub+sqlite://", "sqlite://"),
        ("mesahub+rqlite://u:p%40@a:4001/?host=b:4001&host=c:4001", "rqlite://u:p%40@a:4001,b:4001,c:4001/"),
        ("mesahub+rqlite://a:4001/?on_rollback=warn", "rqlite://a:4001/"),
        (
            "mesahub+libsql://:token@primary:8080/shop?host=replica:8080",
            "libsql://token@primary:8080,replica:8080/shop",
        ),
        ("mesahub+mh://:key@[::1]:4004/shop", "mh://key@[::1]:4004/shop"),
    ],
)
def test_mesahub_url(given: str, expected: str | None) -> None:
    assert mesahub_url(make_url(given)) == expected


def test_a_key_is_hidden_and_refused_where_it_would_show() -> None:
    engine = create_engine("mesahub+mh://:hidden@host:4004/shop")
    assert "hidden" not in f"{engine!r} {engine.url} {engine.url!r}"
    with pytest.raises(exc.ArgumentError, match="Put the key where the password goes") as caught:
        create_engine("mesahub+mh://hidden@host/shop")
    assert "hidden" not in str(caught.value)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    born: Mapped[date | None] = mapped_column(Date)
    posts: Mapped[list[Post]] = relationship(back_populates="user", cascade="all, delete-orphan")


class Post(Base):
    __tablename__ = "posts"
    __table_args__ = (UniqueConstraint("user_id", "title"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    at: Mapped[datetime | None] = mapped_column(DateTime)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    done: Mapped[bool] = mapped_column(default=False)
    user: Mapped[User] = relationship(back_populates="posts")


@pytest.fixture(params=["embedded", "memory", "http"])
def url(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "memory":
        return "mesahub+sqlite://"
    folder = tmp_path_factory.mktemp("alchemy")
    if request.param == "embedded":
        return f"mesahub+sqlite:///{folder}/x.db"
    address = server.url(server.new_database(folder.name)).removeprefix("mh://")
    return f"mesahub+mh://:{address}"


@pytest.fixture
def requests() -> list[str]:
    return []


@pytest.fixture
def engine(url: str, requests: list[str]) -> Iterator[Engine]:
    def count(request: Any, send: Callable[[Any], Any]) -> Any:
        requests.append(request.operation)
        return send(request)

    made = create_engine(url, connect_args={"middleware": [count]})
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def is_transactional(engine: Engine) -> bool:
    return engine.dialect.default_isolation_level == "SERIALIZABLE"


def test_the_orm_stores_and_loads_all_types(engine: Engine) -> None:
    post = Post(title="a", at=datetime(2026, 1, 2, 3, 4, 5, 6), price=Decimal("1.50"), content=b"\x00\xff", done=True)
    with Session(engine) as session:
        session.add(User(name="Ann", born=date(1980, 2, 29), posts=[post]))
        session.commit()
    with Session(engine) as session:
        loaded = session.scalars(select(Post)).one()
        assert (loaded.at, loaded.price, loaded.content, loaded.done) == (
            datetime(2026, 1, 2, 3, 4, 5, 6), Decimal("1.50"), b"\x00\xff", True,
        )  # fmt: skip
        assert (loaded.user.name, loaded.user.born) == ("Ann", date(1980, 2, 29))
        session.delete(loaded.user)
        session.commit()
        assert session.scalar(select(func.count()).select_from(Post)) == 0


def test_the_orm_inserts_many_rows_in_few_requests(engine: Engine, requests: list[str]) -> None:
    requests.clear()
    with Session(engine) as session:
        session.add_all([User(name=f"n{n}", posts=[Post(title="a"), Post(title="b")]) for n in range(500)])
        session.commit()
    assert 2 <= len(requests) <= 6
    with Session(engine) as session:
        user = session.scalars(select(User).where(User.name == "n499")).one()
        assert [post.title for post in user.posts] == ["a", "b"]


def test_rows_of_a_wide_table_go_in_requests_that_the_engine_takes(engine: Engine, requests: list[str]) -> None:
    columns = [Column(f"a_column_with_a_name_{number}", Integer) for number in range(45)]
    wide = Table("wide", MetaData(), Column("id", Integer, primary_key=True), *columns)
    wide.create(engine)
    given = [{column.name: row + number for number, column in enumerate(columns)} for row in range(1_000)]
    with engine.begin() as connection:
        requests.clear()
        keys = (
            connection.execute(wide.insert().returning(wide.c.id, sort_by_parameter_order=True), given).scalars().all()
        )
        assert keys == list(range(1, 1_001))
        assert len(requests) <= 10  # 45,000 parameters, of 5,000 each
        assert connection.scalar(select(func.sum(wide.c.a_column_with_a_name_44))) == sum(range(44, 1_044))


def test_upsert_with_returning(engine: Engine) -> None:
    statement = insert(User).values([{"name": "Ann"}, {"name": "Bob"}])
    statement = statement.on_conflict_do_update(index_elements=["name"], set_={"born": statement.excluded.born})
    with engine.begin() as connection:
        assert len(connection.execute(statement.returning(User.id, User.born)).all()) == 2
        assert connection.execute(statement.returning(User.id)).scalars().all() == [1, 2]


def test_reflection(engine: Engine) -> None:
    found = inspect(engine)
    assert found.get_table_names() == ["posts", "users"]
    assert [column["name"] for column in found.get_columns("users")] == ["id", "name", "born"]
    assert found.get_foreign_keys("posts")[0]["referred_table"] == "users"
    assert found.get_pk_constraint("posts")["constrained_columns"] == ["id"]
    assert found.get_unique_constraints("posts")[0]["column_names"] == ["user_id", "title"]
    assert not found.has_table("nowhere")


def test_an_integrity_error_arrives_as_one(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(User(id=1, name="Ann"))
        session.commit()
        session.add(User(id=2, name="Ann"))
        with pytest.raises(exc.IntegrityError, match="UNIQUE constraint failed") as caught:
            session.commit()
        assert isinstance(caught.value.orig, dbapi.IntegrityError)


def test_rollback_and_savepoints(engine: Engine) -> None:
    if not is_transactional(engine):
        with engine.connect() as connection:
            connection.execute(text("INSERT INTO users (name) VALUES ('Ann')"))
            with pytest.raises(exc.NotSupportedError, match="cannot be rolled back"):
                connection.rollback()
            connection.invalidate()
        return
    with Session(engine) as session:
        session.add(User(name="Ann"))
        session.flush()
        savepoint = session.begin_nested()
        session.add(User(name="Ann"))
        with pytest.raises(exc.IntegrityError):
            session.flush()
        savepoint.rollback()
        session.add(User(name="Bob"))
        session.commit()
        session.add(User(name="Cid"))
        session.flush()
        session.rollback()
        assert session.scalars(select(User.name).order_by(User.id)).all() == ["Ann", "Bob"]


def test_autocommit_expects_no_rollback(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("INSERT INTO users (name) VALUES ('Ann')"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM users")).scalars().all() == ["Ann"]


def test_skip_autocommit_rollback_is_known(url: str) -> None:
    made = create_engine(url, skip_autocommit_rollback=True, isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        assert connection.dialect.detect_autocommit_setting(driver)
        assert connection.scalar(text("SELECT 1")) == 1
    made.dispose()


def test_inspection_shows_the_temporary_tables_of_the_user_only(engine: Engine) -> None:
    if not is_transactional(engine):
        pytest.skip("over HTTP each request has a connection of its own")
    with engine.connect() as connection:
        connection.execute(text("CREATE TEMP TABLE mine (a)"))
        connection.execute(text("INSERT INTO mine VALUES (1)"))
        assert inspect(connection).get_temp_table_names() == ["mine"]


def test_rows_of_a_table_named_as_in_the_rewritten_statement(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE m (a)"))
        connection.commit()
        connection.execute(text("INSERT INTO m VALUES (1.0)"))
        connection.commit()
        assert connection.execute(text("SELECT * FROM m")).all() == [(1.0,)]


def test_executemany_counts_rows_or_says_that_it_does_not(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO users (name) VALUES (:n)"), [{"n": "Ann"}, {"n": "Bob"}])
        found = connection.execute(text("UPDATE users SET name = :new WHERE name = :n"), [
            {"n": "Ann", "new": "Anna"}, {"n": "Bob", "new": "Rob"}
        ])  # fmt: skip
        assert found.rowcount == (2 if engine.dialect.supports_sane_multi_rowcount else -1)
        connection.commit()


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, "DEFERRED"),
        ({"isolation_level": "AUTOCOMMIT"}, None),
        ({"connect_args": {"isolation_level": "IMMEDIATE"}}, "IMMEDIATE"),
        ({"connect_args": {"isolation_level": None}}, None),
    ],
)
def test_the_isolation_level_of_an_engine_is_restored(url: str, options: dict[str, Any], first: str | None) -> None:
    made = create_engine(url, **options)

    def level(connection: Any) -> str | None:
        found: str | None = connection.connection.dbapi_connection.isolation_level
        return found

    for other in ("AUTOCOMMIT", "AUTOCOMMIT" if url.startswith("mesahub+mh") else "SERIALIZABLE"):
        with made.connect() as connection:
            assert level(connection) == first
            changed = connection.execution_options(isolation_level=other)
            assert (level(changed) is None) == (other == "AUTOCOMMIT")
        with made.connect() as connection:
            assert level(connection) == first
    made.dispose()


@pytest.mark.parametrize(
    "given",
    [
        "mesahub+sqlite://shop.db",
        "mesahub+sqlite://host/shop.db",
        "mesahub+sqlite://:hidden@/shop.db",
        "mesahub+mh://:hidden@/shop",
        "mesahub://:hidden@/shop",
    ],
)
def test_parts_of_a_url_without_a_meaning_are_refused(given: str) -> None:
    with pytest.raises(exc.ArgumentError, match=r"three slashes|a key and no host") as caught:
        create_engine(given)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mesahub+sqlite://", StaticPool),
        ("mesahub+sqlite:///:memory:", StaticPool),
        ("mesahub+sqlite:///x.db?mode=memory", StaticPool),
        ("mesahub+mh://local/:memory:", StaticPool),
        ("mesahub+sqlite:///x.db", QueuePool),
        ("mesahub+sqlite:///x.db?mode=ro", QueuePool),
        ("mesahub+mh://:k@host/x", QueuePool),
    ],
)
def test_pools_fit_the_database(given: str, expected: type) -> None:
    assert MesahubDialect.get_pool_class(make_url(given)) is expected


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("sqlite://", StaticPool), ("mh://local/:memory:", StaticPool), ("sqlite:///x", QueuePool)],
)
def test_pools_fit_the_database_of_the_environment(
    variable: str, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESAHUB_URL", variable)
    assert MesahubDialect.get_pool_class(make_url("mesahub://")) is expected


def test_dispose_closes_the_client(engine: Engine) -> None:
    with engine.connect() as connection:
        handle = connection.connection.dbapi_connection.handle  # type: ignore[union-attr]
    engine.dispose()
    with pytest.raises(dbapi.Error), engine.connect() as connection:
        dbapi.connect(handle=handle).cursor().execute("SELECT 1")
