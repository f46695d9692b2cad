"""Five tests that talk to the service: recorded once, replayed ever after.

Record them anew with a server::

    MESAHUB_ADMIN_TOKEN=TOKEN mesahub serve --port 4004 &
    rm -r tests/cassettes
    MESAHUB_URL=mh://TOKEN@localhost:4004/shop pytest --mesahub-record=record
"""

import pytest
import shop

PRODUCTS = [
    {"name": "Tea", "price": 4.5, "stock": 10},
    {"name": "Cup", "price": 12.0, "stock": 2},
]


@pytest.fixture
def db(mesahub_db):
    """An empty shop. When it is recorded, what another test left must go first."""
    for table in ("orders", "products"):
        mesahub_db.exec(f"DROP TABLE IF EXISTS {table}")
    shop.set_up(mesahub_db)
    shop.add_products(mesahub_db, PRODUCTS)
    return mesahub_db


def test_an_order_takes_from_the_stock(db):
    order = shop.order(db, "Tea", 3)
    assert order["total"] == 13.5
    # The same SELECT as in order(), after the write: it has an answer of its own.
    assert db.table("products").find_one(where={"name": "Tea"})["stock"] == 7


def test_what_is_not_there_cannot_be_ordered(db):
    with pytest.raises(shop.SoldOutError):
        shop.order(db, "Cup", 3)
    with pytest.raises(KeyError):
        shop.order(db, "Spoon", 1)


def test_revenue_adds_up(db):
    assert shop.revenue(db) == 0.0
    shop.order(db, "Tea", 1)
    shop.order(db, "Cup", 2)
    assert shop.revenue(db) == 28.5


def test_a_name_is_taken_once(db):
    assert shop.rename(db, "Tea", "Green tea")
    assert not shop.rename(db, "Cup", "Green tea")


@pytest.mark.parametrize("count", [1, 10])
def test_all_of_the_tea_can_be_ordered(db, count):
    assert shop.order(db, "Tea", count)["count"] == count
