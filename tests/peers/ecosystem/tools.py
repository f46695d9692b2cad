"""One program of pandas, polars, pyarrow, the ORM, SQLModel and Alembic: it prints the same on each database.

Run as ``tools.py URL FOLDER``, with a URL of SQLAlchemy.
"""

from __future__ import annotations

import datetime
import decimal
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import orm
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import Field, Session, SQLModel, select


class Base(orm.DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(50), unique=True)
    balance: orm.Mapped[decimal.Decimal | None] = orm.mapped_column(sa.Numeric(10, 2))
    born: orm.Mapped[datetime.date | None]
    seen: orm.Mapped[datetime.datetime | None]
    extra: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(sa.JSON)
    photo: orm.Mapped[bytes | None]
    active: orm.Mapped[bool] = orm.mapped_column(default=True)
    posts: orm.Mapped[list[Post]] = orm.relationship(back_populates="user", cascade="all, delete-orphan")


class Post(Base):
    __tablename__ = "posts"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    user_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("users.id"))
    title: orm.Mapped[str]
    user: orm.Mapped[User] = orm.relationship(back_populates="posts")


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    age: int | None = None


def show(what: str, *values: Any) -> None:
    print(what, *values, sep=" | ")


def relationships(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all(
            [
                User(
                    name="Ann",
                    balance=decimal.Decimal("12.50"),
                    born=datetime.date(1990, 1, 31),
                    seen=datetime.datetime(2026, 1, 31, 12, 30, 0, 5),
                    extra={"tags": ["a", 1, None], "größe": 1.5},
                    photo=b"\x00\xff",
                    posts=[Post(title="one"), Post(title="two")],
                ),
                User(name="Bob", active=False, posts=[Post(title="three")]),
            ]
        )
        session.commit()
    with orm.Session(engine) as session:
        ann = session.scalars(sa.select(User).options(orm.selectinload(User.posts)).order_by(User.id)).first()
        assert ann is not None
        show("orm", ann.name, ann.balance, ann.born, ann.seen, ann.extra, ann.photo, ann.active)
        show("relationship", [post.title for post in ann.posts], ann.posts[0].user is ann)
        joined = session.execute(sa.select(User.id, Post.id, Post.title).join(Post).order_by(Post.id)).all()
        show("duplicate names", [tuple(row) for row in joined])
        ann.name = "Anna"
        ann.posts.pop()
        session.commit()
        session.delete(ann)
        session.commit()
        show("cascade", session.scalar(sa.select(sa.func.count()).select_from(Post)))
        session.execute(sa.update(User).where(User.name == "Bob").values(balance=decimal.Decimal("1.10")))
        session.commit()
        statement = insert(User).values([{"name": "Bob", "active": True}, {"name": "Cem", "active": False}])
        statement = statement.on_conflict_do_update(index_elements=["name"], set_={"active": statement.excluded.active})
        show("upsert", session.execute(statement.returning(User.name, User.active, User.balance)).all())
        session.commit()


def integrity(engine: sa.Engine) -> None:
    with orm.Session(engine) as session:
        try:
            session.add(User(name="Bob"))
            session.commit()
        except sa.exc.IntegrityError as error:
            show("integrity", type(error.orig).__name__, "users.name" in str(error.orig))
            session.rollback()
        show("after it", session.scalar(sa.select(sa.func.count()).select_from(User)))


def bulk(engine: sa.Engine) -> None:
    with orm.Session(engine) as session:
        session.add_all(User(name=f"u{n}", posts=[Post(title=f"{n}.{m}") for m in range(2)]) for n in range(500))
        session.commit()
        total = session.execute(
            sa.select(sa.func.count(), sa.func.sum(Post.user_id)).join(User).where(User.name.like("u%"))
        ).one()
        matching = session.scalar(
            sa.select(sa.func.count())
            .join(User)
            .where(Post.title.like(sa.func.substr(User.name, 2) + ".%"))
            .where(User.name.like("u%"))
            .select_from(Post)
        )
        show("bulk", total[0], matching)


def sqlmodel(engine: sa.Engine) -> None:
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Hero(name="Deadpond", age=48))
        session.add(Hero(name="Rusty-Man"))
        session.commit()
        found = session.exec(select(Hero).order_by(Hero.name)).all()
        show("sqlmodel", [(hero.id, hero.name, hero.age) for hero in found])


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": pd.Series([1, 2**53 + 1, -3], dtype="int64"),
            "f": [1.5, None, 3.0],
            "s": ["a", "größe", None],
            "b": [True, False, True],
            "t": pd.to_datetime(["2026-01-31 12:30:00.000005", None, "1999-12-31"], format="mixed"),
            "n": pd.array([1, None, 3], dtype="Int64"),
        }
    )


def pandas(engine: sa.Engine) -> None:
    given = frame()
    show("to_sql", given.to_sql("frames", engine, index=False))
    again = pd.read_sql_table("frames", engine)
    show("read_sql_table", again.to_dict("list"), [str(kind) for kind in again.dtypes])
    show("datetimes", (again["t"].dropna() == given["t"].dropna()).all(), (again["i"] == given["i"]).all())
    given.to_sql("frames", engine, index=False, if_exists="append", method="multi")
    with engine.connect() as connection:
        show(
            "read_sql_query",
            pd.read_sql_query(sa.text("SELECT i, s FROM frames ORDER BY i"), connection).values.tolist(),
        )
        chunks = pd.read_sql_query("SELECT i FROM frames ORDER BY i", connection, chunksize=4)
        show("chunks", [len(chunk) for chunk in chunks])
        parsed = pd.read_sql_query("SELECT t FROM frames", connection, parse_dates=["t"])
        show("parse_dates", str(parsed["t"].dtype).startswith("datetime64"), int(parsed["t"].isna().sum()))
    numbers = pd.DataFrame({"a": range(20_000), "b": 0.5})
    show(
        "many",
        numbers.to_sql("numbers", engine, index=False),
        pd.read_sql("SELECT sum(a) AS s FROM numbers", engine)["s"][0],
    )
    prices = pd.DataFrame({"price": [decimal.Decimal("1.10"), decimal.Decimal("2.25")]})
    prices.to_sql("prices", engine, index=False, dtype={"price": sa.Numeric(10, 2)})
    show("decimals", pd.read_sql_table("prices", engine, coerce_float=False)["price"].tolist())
    raw = engine.raw_connection()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            show("raw", pd.read_sql("SELECT i FROM frames WHERE i = ? LIMIT 1", raw, params=(1,))["i"].tolist())
    finally:
        raw.close()


def polars(engine: sa.Engine) -> None:
    query = "SELECT i, f, s FROM frames ORDER BY i, s LIMIT 3"
    with engine.connect() as connection:
        show("polars", pl.read_database(query, connection).to_dict(as_series=False))
        parts = pl.read_database("SELECT i FROM frames", connection, iter_batches=True, batch_size=4)
        show("batches", [part.height for part in parts])
    given = pl.DataFrame({"k": [1, 2], "w": ["x", None], "d": [datetime.date(2026, 1, 31), None]})
    given.write_database("polar", connection=engine)
    show("write_database", pl.read_database("SELECT k, w FROM polar ORDER BY k", engine).rows())


ENV = """
from alembic import context
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
"""
BATCH = "with op.batch_alter_table('m') as batch:"
SCRIPTS: dict[str, tuple[str | None, list[str], list[str]]] = {
    "a1": (
        None,
        [
            "op.create_table('m', sa.Column('id', sa.Integer, primary_key=True), sa.Column('a', sa.Integer))",
            "op.bulk_insert(sa.table('m', sa.column('a', sa.Integer)), [{'a': 1}, {'a': 2}])",
        ],
        ["op.drop_table('m')"],
    ),
    "a2": (
        "a1",
        ["op.add_column('m', sa.Column('b', sa.String(20), server_default='x'))", "op.create_index('m_b', 'm', ['b'])"],
        ["op.drop_index('m_b', 'm')", "op.drop_column('m', 'b')"],
    ),
    "a3": (
        "a2",
        [
            f"{BATCH} batch.alter_column('a', nullable=False, new_column_name='c')",
            f"{BATCH} batch.create_unique_constraint('m_c', ['c'])",
        ],
        [
            f"{BATCH} batch.drop_constraint('m_c', type_='unique')",
            f"{BATCH} batch.alter_column('c', nullable=True, new_column_name='a')",
        ],
    ),
}


def alembic(engine: sa.Engine, folder: Path) -> None:
    versions = folder / "versions"
    versions.mkdir(parents=True)
    (folder / "env.py").write_text(ENV)
    for name, (before, up, down) in SCRIPTS.items():
        (versions / f"{name}.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\nrevision = {name!r}\ndown_revision = {before!r}\n\n\n"
            "def upgrade():\n    " + "\n    ".join(up) + "\n\n\ndef downgrade():\n    " + "\n    ".join(down) + "\n"
        )
    config = Config()
    config.set_main_option("script_location", str(folder))
    steps = [(command.upgrade, "a1"), (command.upgrade, "head"), (command.downgrade, "a1"), (command.upgrade, "head")]
    for run, target in steps:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            run(config, target)
            connection.commit()
            shape = [(column["name"], column["nullable"]) for column in sa.inspect(connection).get_columns("m")]
            rows = connection.execute(sa.text("SELECT * FROM m ORDER BY id")).all()
            version = MigrationContext.configure(connection).get_current_revision()
            show("alembic", version, shape, [tuple(row) for row in rows], sa.inspect(connection).get_indexes("m"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        show("base", "m" in sa.inspect(connection).get_table_names())


def autogenerate(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        ours = {*Base.metadata.tables, *SQLModel.metadata.tables}
        options = {
            "include_name": lambda name, kind, _: kind != "table" or name in ours,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        both = sa.MetaData()
        for metadata in (Base.metadata, SQLModel.metadata):
            for table in metadata.tables.values():
                table.to_metadata(both)
        show("autogenerate", compare_metadata(context, both))


def reflection(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    show("tables", sorted(inspector.get_table_names()))
    show(
        "columns",
        [(c["name"], str(c["type"]), c["nullable"], c["primary_key"]) for c in inspector.get_columns("users")],
    )
    show("keys", inspector.get_foreign_keys("posts"), inspector.get_unique_constraints("users"))


def main(url: str, folder: Path) -> None:
    engine = sa.create_engine(url)
    for step in (relationships, integrity, bulk, sqlmodel, pandas, polars, autogenerate, reflection):
        step(engine)
    alembic(engine, folder / "migrations")
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
