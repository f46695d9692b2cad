"""Programs that type checkers must accept. They are checked by ``make lint``, and never run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict, Unpack, assert_type

import mesahub
from mesahub import (
    ClientOptions,
    DatabaseHandle,
    ExecResult,
    FileList,
    FileRecord,
    MesahubClient,
    MesahubManagementClient,
    QueryResult,
    RetryPolicy,
    TableHandle,
    TLSOptions,
    any_of,
    col,
    stored,
)
from mesahub.middleware import Handler
from mesahub.rows import Rows
from mesahub.transport import Request, Response, Transport, TransportOptions
from mesahub.types import ExecResult as ExecResultOf1
from mesahub.where import build_where


class OwnTransport:
    def __init__(self, options: TransportOptions) -> None:
        self.base_url = options.base_url

    def send(self, request: Request, /) -> Response:
        return Response(200, payload={})

    def close(self) -> None: ...


def own_middleware(request: Request, forward: Handler) -> Response:
    return forward(request)


def program_of_1_0_1() -> None:
    info = mesahub.parse_mesahub_url("mh://k@h/db")
    client = MesahubClient(api_key=info["api_key"], api_url=info["api_url"], route_prefix=info["route_prefix"])
    db = client.db(info["db_name"])
    users = db.table("users")
    rows = users.find(where={"active": 1}, select=["id"], order_by=[{"column": "id", "direction": "desc"}], limit=20)
    for row in rows:
        print(row["id"])
    alice = users.find_one(where={"email": "alice@example.com"})
    assert alice is not None
    new = users.insert({"name": "Bob"})
    users.update(where={"id": new["id"]}, set={"name": "Robert"})
    users.delete(where={"id": new["id"]})
    count: int = users.count({"active": 1})
    result: QueryResult = db.query("SELECT * FROM users WHERE active = ?", [1])
    print(result["rows"], result["columns"], result["row_count"], result["query_duration_ms"], count)
    done: ExecResultOf1 = users.insert_many([{"name": "a"}], on_conflict="ignore")
    print(done["rows_affected"], done["last_insert_rowid"])
    record: FileRecord = db.files.upload(b"x", "x.txt", "text/plain")
    content: bytes = db.files.download(record["id"])
    db.files.delete(record["id"])
    print(content, db.files.list(limit=1, offset=0, folder_prefix="a"), build_where({"id": 1}))
    with MesahubManagementClient(dashboard_url="https://www.mesahub.app", api_key="k", timeout=5.0) as management:
        key: str = management.api_keys.create("ci", scopes=["all:w"])["key"]
        print(key, management.databases.create("name", description="d")["id"], management.buckets.list())


def connections(url: str, path: Path, session: object, options: ClientOptions) -> None:
    mesahub.connect()
    mesahub.connect(url, timeout=None, connect_timeout=1, pool_size=4, retry=RetryPolicy.none(), tls=TLSOptions())
    mesahub.connect(path, create=False, mode="ro")
    mesahub.connect(url, transport="requests", session=session, proxies={"https": "http://proxy"})
    mesahub.connect(url, transport="recorder", cassette=path, mode="record", inner="urllib")
    mesahub.connect(url, transport=OwnTransport, middleware=[own_middleware], api_key=lambda: "key")
    mesahub.connect(url, transport=OwnTransport(TransportOptions()), transport_options={"own": 1})
    mesahub.connect(url, **options)
    MesahubClient("key", ["http://one", "http://two"], dialect="rqlite", consistency="weak", **options)
    MesahubManagementClient("https://www.mesahub.app", lambda: "key", **options)


def handing_options_on(url: str, **options: Unpack[ClientOptions]) -> DatabaseHandle:
    return mesahub.connect(url, **options)


def tables(db: DatabaseHandle, columns: Sequence[str]) -> None:
    table = db.table("t")
    assert_type(table, TableHandle)
    assert_type(table.find(col("age") >= 18, order_by="-age"), list[dict[str, Any]])
    assert_type(table.find_one(any_of({"a": 1}, col("b").is_null())), dict[str, Any] | None)
    table.find(order_by=["name", {"column": "age", "direction": "desc"}, col("x")], select=columns)
    table.find(select=("id", "name"), distinct=True, limit=1, offset=2, timeout=0.5)
    table.insert({"a": 1}, returning=["id"])
    assert_type(table.insert_many([{"a": 1}], returning=True, on_conflict="update", key="id"), ExecResult)
    table.update({"id": 1}, {"n": 2}, returning=columns)
    table.delete(None, all_rows=True, returning=True)
    table.aggregate({"n": "count", "sum": ("sum", "amount")}, group_by="customer", having={"n": {"gt": 1}})
    assert_type(db.files.list(sort="filename", order="asc"), FileList)


@dataclass
class User:
    id: int
    name: str
    joined: Annotated[datetime | None, stored.iso] = None


class UserDict(TypedDict):
    id: NotRequired[int]
    name: str


class UserTuple(NamedTuple):
    id: int
    name: str


def typed_rows(db: DatabaseHandle) -> None:
    users = db.table("users", User)
    assert_type(users, TableHandle[User])
    assert_type(users.find({"name": "Ann"}), list[User])
    assert_type(users.find_one(), User | None)
    assert_type(users.get(1), User | None)
    assert_type(users.insert(User(1, "Ann")), User)
    assert_type(users.upsert(User(1, "Ann"), key="name", where={"gone": 0}), User | None)
    assert_type(users.insert_many(User(n, "Ann") for n in range(3)), ExecResult[User])
    assert_type(users.upsert_many([User(1, "Ann")], returning=True).rows, list[User])
    assert_type(users.update({"id": 1}, {"name": col("nick")}, returning=True).rows, list[User])
    assert_type(users.update({"id": 1}, User(1, "Ann"), returning=True)["rows"], list[User])
    assert_type(users.delete({"id": 1}).rows, list[User])
    assert_type([user.joined for user in users.iterate()], list[datetime | None])
    assert_type(users.aggregate({"n": "count"}), list[dict[str, Any]])


def typed_queries_and_batches(db: DatabaseHandle) -> None:
    rows = db.rows("SELECT id, name FROM users", model=User)
    assert_type(rows, Rows[User])
    assert_type(rows.first(), User | None)
    assert_type(rows[1:].one(), User)
    assert_type([user.id for user in rows], list[int])
    assert_type(db.rows("SELECT 1"), Rows)
    assert_type(db.rows("SELECT 1").one(), dict[str, Any])
    with db.batch() as batch:
        batch.table("users", User).insert(User(1, "Ann"))
        batch.table("users").insert({"id": 2})


async def typed_rows_of_asyncio(db: mesahub.aio.AsyncDatabaseHandle) -> None:
    users = db.table("users", User)
    assert_type(await users.find(), list[User])
    assert_type(await users.insert(User(1, "Ann")), User)
    assert_type([user.name async for user in users.iterate()], list[str])
    assert_type((await db.rows("SELECT 1", model=User)).first(), User | None)


def typed_dicts_and_tuples(db: DatabaseHandle) -> None:
    dicts = db.table("users", UserDict)
    assert_type(dicts.find(), list[UserDict])
    assert_type(dicts.insert({"name": "Ann"})["name"], str)
    dicts.insert_many([{"name": "Ann"}, {"id": 2, "name": "Bob"}])
    assert_type(db.table("users", UserTuple).find()[0].name, str)


def typed_dict_in_an_untyped_table(table: TableHandle, row: UserDict) -> TableHandle:
    assert_type(table.insert(row), dict[str, Any])
    table.insert_many([row])
    return table


transport_factory: Callable[[TransportOptions], Transport] = OwnTransport
