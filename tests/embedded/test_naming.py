"""Names of databases and their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mesahub
from mesahub import ConfigurationError
from mesahub_embedded.storage.data_folder import Store
from mesahub_embedded.storage.naming import check_name, file_name, name_of

NAMES = st.text(min_size=1, max_size=60).filter(lambda name: _is_good(name))


def _is_good(name: str) -> bool:
    try:
        check_name(name)
    except ConfigurationError:
        return False
    return True


@given(NAMES)
def test_the_name_can_be_read_from_the_file(name: str) -> None:
    file = file_name(name)
    assert set(file) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-=.~")
    assert len(file) < 200
    assert name_of(file) in (name, None)
    assert ("~" in file) == (name_of(file) is None)


@given(NAMES, NAMES)
def test_two_names_have_two_files(one: str, other: str) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("shop-1", "shop-1.db"),
        ("Shop", "=53hop.db"),
        ("a.b", "a=2eb.db"),
        ("naïve", "na=c3=afve.db"),
        ("store", "store.db"),
        ("deleted", "deleted.db"),
        ("con", "=63on.db"),
        ("LPT1", "=4c=50=541.db"),
    ],
)
def test_files(name: str, file: str) -> None:
    assert file_name(name) == file


@pytest.mark.parametrize("name", ["=53hop", "shop.sqlite", "=zz.db", "=ff.db", "=2E.db", "~.db", ".db", "s hop.db"])
def test_files_of_others(name: str) -> None:
    assert name_of(name) is None


@pytest.mark.parametrize(
    "name", ["", " ", "..", "../up", "a/b", "a\\b", ".hidden", "a\0b", "a\nb", "x" * 256, "\ud800"]
)
def test_what_cannot_be_a_name(name: str, data: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name of a database"):
        check_name(name)
    store = Store(data)
    with pytest.raises(ConfigurationError, match="cannot be the name of a database"):
        store.engine(name)
    store.close()


def test_databases_are_apart(data: Path) -> None:
    with mesahub.MesahubClient(transport="embedded", data=str(data)) as client:
        for name in ("shop", "Shop", "SHOP", "shop.", "store", "L" * 200):
            client.exec(name, "CREATE TABLE t (name)")
            client.exec(name, "INSERT INTO t VALUES (?)", [name])
        for name in ("shop", "Shop", "SHOP", "shop.", "store", "L" * 200):
            assert client.query(name, "SELECT name FROM t").rows == [{"name": name}]


def test_the_folder_by_argument_url_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESAHUB_DATA", str(tmp_path / "three"))
    with (
        mesahub.connect(f"mh://local/x?data={tmp_path}/one") as one,
        mesahub.connect("mh://local/x", data=tmp_path / "two") as two,
        mesahub.connect("mh://local/x") as three,
    ):
        for db in (one, two, three):
            db.exec("CREATE TABLE t (n)")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "three", "two"]
    monkeypatch.delenv("MESAHUB_DATA")
    monkeypatch.chdir(tmp_path)
    with mesahub.connect("mh://local/x") as db:
        db.exec("CREATE TABLE t (n)")
    assert (tmp_path / "mesahub-data" / "databases" / "x.db").is_file()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"data": 5}, "data is the path of a folder"),
        ({"dta": "x"}, "Did you mean 'data'"),
        ({"api_url": "https://example.com"}, "takes no api_url"),
    ],
)
def test_wrong_options(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        mesahub.MesahubClient(transport="embedded", **options)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("here")
    with pytest.raises(ConfigurationError, match="cannot be created"):
        mesahub.connect("mh://local/x", data=str(file))


def test_a_file_that_is_no_database(data: Path) -> None:
    store = Store(data)
    store.path("x").write_bytes(b"this is no database, and long enough to be told apart from one" * 20)
    with pytest.raises(ConfigurationError, match="cannot be used as a database: file is not a database"):
        store.engine("x")
    store.close()


def test_a_folder_in_the_databases_place(data: Path) -> None:
    store = Store(data)
    store.path("x").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        store.engine("x")
    store.close()
