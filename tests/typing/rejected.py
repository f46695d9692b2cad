"""Programs that type checkers must reject, line by line. They are checked by ``make lint``, and never run.

Each comment is an error of its own where its line is not one.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import mesahub
from mesahub import DatabaseHandle, MesahubClient, MesahubManagementClient
from mesahub.transport import Request


def misspelt_options(url: str) -> None:
    mesahub.connect(url, tiemout=3)  # type: ignore[call-arg]
    MesahubClient("k", url, poolsize=3)  # type: ignore[call-arg]
    MesahubManagementClient(url, "k", proxy={})  # type: ignore[call-arg]
    mesahub.connect(url, key="k")  # type: ignore[call-arg]


def unknown_names() -> None:
    print(mesahub.Client)  # type: ignore[attr-defined]


def wrong_types(url: str) -> None:
    mesahub.connect(url, timeout="3")  # type: ignore[arg-type]
    mesahub.connect(url, pool_size="3")  # type: ignore[arg-type]
    mesahub.connect(url, retry=3)  # type: ignore[arg-type]
    mesahub.connect(url, transport=3)  # type: ignore[arg-type]
    mesahub.connect(url, transport=object())  # type: ignore[arg-type]
    mesahub.connect(url, middleware=[print_request])  # type: ignore[list-item]
    mesahub.connect(url, proxies="http://p")  # type: ignore[arg-type]
    mesahub.connect(url, tls=True)  # type: ignore[arg-type]
    MesahubClient(b"k", url)  # type: ignore[arg-type]
    mesahub.connect(5)  # type: ignore[arg-type]


def print_request(request: Request) -> None:
    print(request)


class User(TypedDict):
    id: NotRequired[int]
    name: str


@dataclass
class Account:
    id: int
    owner: str


def misspelt_columns(db: DatabaseHandle) -> None:
    users = db.table("users", User)
    for user in users.find():
        print(user["nmae"])  # type: ignore[typeddict-item]
    users.insert({"name": "Ann", "nmae": "Ann"})  # type: ignore[typeddict-unknown-key]
    users.insert({"name": 5})  # type: ignore[typeddict-item]
    users.insert({"id": 5})  # type: ignore[typeddict-item]
    users.insert_many([{"name": "Ann", "nmae": "Ann"}])  # type: ignore[typeddict-unknown-key]
    users.upsert({"name": "Ann", "nmae": "Ann"})  # type: ignore[typeddict-unknown-key]
    found: list[Account] = users.find()  # type: ignore[assignment]
    accounts = db.table("accounts", Account)
    print(accounts.find()[0].ownr, found)  # type: ignore[attr-defined]
    accounts.insert(found)  # type: ignore[arg-type]
    accounts.insert({"id": 1})  # type: ignore[arg-type]
    print(accounts.get(1).owner)  # type: ignore[union-attr]


def wrong_calls(db: DatabaseHandle) -> None:
    table = db.table("t")
    table.find(order_by=5)  # type: ignore[arg-type]
    table.find(order_by=[5])  # type: ignore[list-item]
    table.find("id = 1")  # type: ignore[arg-type]
    table.find(limit="2")  # type: ignore[arg-type]
    table.find(wher={"id": 1})  # type: ignore[call-arg]
    table.insert({"a": 1}, returning=5)  # type: ignore[call-overload]
    table.insert([("a", 1)])  # type: ignore[call-overload]
    table.aggregate({"n": 1})  # type: ignore[dict-item]
    db.table(5)  # type: ignore[call-overload]
    db.query("SELECT 1", 5)  # type: ignore[arg-type]
    db.files.list(order="down")  # type: ignore[arg-type]
    db.files.upload(5)  # type: ignore[arg-type]
