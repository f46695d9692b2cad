"""A small application that talks to MesaHub."""

from __future__ import annotations

import mesahub
from mesahub import DatabaseHandle


class SoldOutError(Exception):
    """There are not so many left."""


def set_up(db: DatabaseHandle) -> None:
    """Make the tables."""
    db.exec("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL, stock INTEGER)")
    db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, product INTEGER, count INTEGER, total REAL)")


def add_products(db: DatabaseHandle, products: list[dict[str, object]]) -> int:
    """Put products on the shelf; gives how many."""
    return db.table("products").insert_many(products).rows_affected


def order(db: DatabaseHandle, name: str, count: int) -> dict[str, object]:
    """Order so many of a product; gives the order."""
    product = db.table("products").find_one(where={"name": name})
    if product is None:
        raise KeyError(name)
    taken = db.exec("UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?", [count, product["id"], count])
    if taken.rows_affected == 0:
        raise SoldOutError(name)
    return db.table("orders").insert({"product": product["id"], "count": count, "total": count * product["price"]})


def revenue(db: DatabaseHandle) -> float:
    """All that was ordered, in money."""
    return db.table("orders").aggregate({"sum": ("sum", "total")})[0]["sum"] or 0.0


def rename(db: DatabaseHandle, name: str, new_name: str) -> bool:
    """Give a product another name; False when that is taken."""
    try:
        db.table("products").update(where={"name": name}, set={"name": new_name})
    except mesahub.IntegrityError:
        return False
    return True
