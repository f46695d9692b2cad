"""Alembic on mesahub: upgrade, a migration that fails half way, autogenerate, downgrade.

Run: ``pip install "mesahub[sqlalchemy]" alembic``, then ``python migrations.py [URL]``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

ENV = """
from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, render_as_batch=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""

CREATE = """
def upgrade():
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("total", sa.Integer))
    op.bulk_insert(sa.table("orders", sa.column("total", sa.Integer)), [{"total": 5}, {"total": 7}])


def downgrade():
    op.drop_table("orders")
"""

CHANGE = """
def upgrade():
    op.add_column("orders", sa.Column("note", sa.String(40), server_default="none"))
    with op.batch_alter_table("orders") as batch:  # SQLite: a new table, filled from the old one
        batch.alter_column("total", nullable=False)


def downgrade():
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("total", nullable=True)
        batch.drop_column("note")
"""

FAIL = """
def upgrade():
    op.add_column("orders", sa.Column("half", sa.Integer))
    op.execute("UPDATE orders SET missing = 1")


def downgrade():
    op.drop_column("orders", "half")
"""


def project(folder: Path) -> Config:
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV)
    for name, before, body in [("a1", None, CREATE), ("a2", "a1", CHANGE), ("a3", "a2", FAIL)]:
        head = f"import sqlalchemy as sa\nfrom alembic import op\n\nrevision = {name!r}\ndown_revision = {before!r}\n\n"
        (folder / "versions" / f"{name}.py").write_text(head + body)
    config = Config()
    config.set_main_option("script_location", str(folder))
    return config


def state(connection: sa.Connection) -> tuple[str | None, list[str]]:
    columns = [column["name"] for column in sa.inspect(connection).get_columns("orders")]
    return MigrationContext.configure(connection).get_current_revision(), columns


def main(url: str, folder: Path) -> None:
    engine = sa.create_engine(url)
    config = project(folder)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "a2")
        connection.commit()
        print("upgraded:", *state(connection))

        metadata = sa.MetaData()
        sa.Table(
            "orders", metadata, sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("total", sa.Integer, nullable=False), sa.Column("note", sa.String(40), server_default="none"),
        )  # fmt: skip
        print("differences:", compare_metadata(MigrationContext.configure(connection), metadata))

    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "a3")
        except sa.exc.OperationalError as error:
            print("failed:", error.orig)
            print("notes:", *getattr(error, "__notes__", ["none"]))

    with engine.connect() as connection:
        version, columns = state(connection)
        print("left by the failed migration:", "column half" if "half" in columns else "nothing", "at", version)
        if "half" in columns:
            connection.execute(sa.text("ALTER TABLE orders DROP COLUMN half"))  # by hand: nothing could roll it back
            connection.commit()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        print("tables:", [name for name in sa.inspect(connection).get_table_names() if name != "alembic_version"])
    engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else "mesahub+sqlite://", Path(temporary) / "alembic")
