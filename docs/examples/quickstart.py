"""The README's quickstart: a database in this process, nothing else to install."""

import tempfile

import mesahub

with mesahub.connect("mh://local/quickstart", data=tempfile.mkdtemp()) as db:
    db.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, active BOOLEAN)")
    users = db.table("users")
    ann = users.insert({"name": "Ann", "age": 41, "active": True})
    users.insert_many([{"name": "Bob", "age": 17}, {"name": "Cem", "age": 28, "active": True}])

    adults = users.find(where={"age": {"gte": 18}}, order_by=["name"], limit=20)
    assert [user["name"] for user in adults] == ["Ann", "Cem"], adults

    users.update(where={"id": ann["id"]}, set={"age": 42})
    assert db.rows("SELECT age FROM users WHERE name = ?", ["Ann"]).one() == {"age": 42}
    print("It works:", adults)
