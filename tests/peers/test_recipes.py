"""The recipes of the documentation run, from the built wheel, in an environment of the packages that they name."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.conftest import Environment, run, this_python
from tests.peers.recipes import files, write

pytestmark = [pytest.mark.peers, pytest.mark.skipif(os.name == "nt", reason="gunicorn and Celery need a Unix")]

PACKAGES = (
    "waitress", "flask", "gunicorn", "fastapi", "httpx", "django", "celery", "apscheduler>=3.10,<4", "nbclient",
    "ipykernel", "requests", "urllib3", "requests-mock", "requests-cache", "vcrpy", "responses", "uvicorn", "aiohttp",
)  # fmt: skip
TOKEN = "recipe-token"


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("recipes") / "env", wheel, *PACKAGES)


@contextmanager
def started(command: list[str], cwd: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "MESAHUB"))}
    with (cwd / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, cwd=cwd, env=clean | variables, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with the tables of the recipes."""
    folder = tmp_path_factory.mktemp("server")
    command = [str(environment.python), "-m", "mesahub", "serve", "--port", "0", "--data", str(folder / "data")]
    with started([*command, "--admin-token", TOKEN], folder) as process:
        assert process.stdout is not None
        found = re.search(r"mh://\S+", process.stdout.readline())
        assert found
        environment.run("-c", _TABLES, MESAHUB_URL=found[0])
        yield found[0]


_TABLES = """
import mesahub
with mesahub.connect() as db:
    db.exec_script('''
        CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE payments (id TEXT PRIMARY KEY, cents INTEGER);
        CREATE TABLE numbers (n INTEGER PRIMARY KEY, square INTEGER);
        CREATE TABLE sessions (id INTEGER PRIMARY KEY, expires REAL);
        INSERT INTO users VALUES (1, 'Ann'), (2, 'Bob');
        INSERT INTO sessions VALUES (1, 5.0), (2, 9e12);
    ''')
"""


def rows(environment: Environment, url: str, sql: str) -> Any:
    code = "import json, sys, mesahub; print(json.dumps(mesahub.connect().query(sys.argv[1])['rows']))"
    return json.loads(environment.run("-c", code, sql, MESAHUB_URL=url))


def ask(url: str, payload: Any = None) -> tuple[int, Any]:
    data = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text[:1] == b"{" else None


def address_in(log: Path) -> str:
    """The address that a server writes to its log when it listens."""
    for _ in range(300):
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
def test_flask_under_gunicorn_with_forked_workers(
    environment: Environment, server: str, tmp_path: Path, preload: list[str]
) -> None:
    write("recipes/web.md", "Flask and gunicorn", tmp_path)
    command = ["-m", "gunicorn", "--workers", "3", "--threads", "4", "--bind", "127.0.0.1:0", *preload, "app:app"]
    with started([str(environment.python), *command], tmp_path, MESAHUB_URL=server):
        base = address_in(tmp_path / "log.txt")
        name = f"Cleo {preload}"
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: ask(f"{base}/users/{1 + i % 3 * 1000 + i % 2}"), range(120)))
        for i, answer in enumerate(answers):
            expected = [(200, {"id": 1, "name": "Ann"}), (200, {"id": 2, "name": "Bob"})][i % 2]
            assert answer == (expected if i % 3 == 0 else (404, None))
        assert ask(f"{base}/users", {"name": name})[0] == 201
        assert ask(f"{base}/users", {"name": name}) == (409, {"error": "unique", "columns": ["name"]})


def test_fastapi_in_its_threads(environment: Environment, server: str, tmp_path: Path) -> None:
    write("recipes/web.md", "FastAPI", tmp_path)
    (tmp_path / "check.py").write_text("""
from concurrent.futures import ThreadPoolExecutor
import mesahub
from fastapi.testclient import TestClient
from app import app, database
with TestClient(app) as client:
    with ThreadPoolExecutor(8) as pool:
        names = [r.json()["name"] for r in pool.map(lambda i: client.get(f"/users/{1 + i % 2}"), range(60))]
    assert names == ["Ann", "Bob"] * 30, names
    assert client.get("/users/999").status_code == 404
    assert client.post("/users", json={"name": "Dora"}).status_code == 201
    again = client.post("/users", json={"name": "Dora"})
    assert (again.status_code, again.json()) == (409, {"error": "unique", "columns": ["name"]})
    with mesahub.connect("sqlite://") as own:
        own.table("users").insert_many([{"id": 5, "name": "Eve"}], create=True, key="id")
        app.dependency_overrides[database] = lambda: own
        assert client.get("/users/5").json()["name"] == "Eve"
print("done")
""")
    assert environment.run("check.py", cwd=tmp_path, MESAHUB_URL=server).strip() == "done"


def test_fastapi_over_asyncio_under_uvicorn(environment: Environment, server: str, tmp_path: Path) -> None:
    write("guides/asyncio.md", "FastAPI", tmp_path)
    (tmp_path / "check.py").write_text(_IMPATIENT_CLIENTS)
    command = [str(environment.python), "-m", "uvicorn", "--port", "0", "fastapi_app:app"]
    with started(command, tmp_path, MESAHUB_URL=server):
        base = address_in(tmp_path / "log.txt")
        assert environment.run("check.py", base, cwd=tmp_path).strip() == "done"
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


_IMPATIENT_CLIENTS = """
import asyncio, sys, aiohttp
base = sys.argv[1] + "/users"
async def main():
    async with aiohttp.ClientSession() as session:
        async def add(number):
            async with session.post(base, json={"name": f"loop {number % 150}"}) as response:
                return response.status, (await response.json()).get("id")
        async def get(key):
            async with session.get(f"{base}/{key}") as response:
                return response.status, (await response.json()).get("id")
        added = await asyncio.gather(*(add(number) for number in range(200)))
        assert sorted(status for status, _ in added) == [201] * 150 + [409] * 50, added
        keys = [key for status, key in added if status == 201]
        left = [asyncio.create_task(get(key)) for key in keys]
        await asyncio.sleep(0.003)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        found = await asyncio.gather(*(get(key) for key in keys * 4))
        assert found == [(200, key) for key in keys * 4]
        assert (await get(10**9))[0] == 404
asyncio.run(main())
print("done")
"""


def test_django_next_to_its_orm(environment: Environment, server: str, tmp_path: Path) -> None:
    write("recipes/web.md", "Django", tmp_path)
    (tmp_path / "check.py").write_text(f"""
import django
from django.conf import settings
settings.configure(ROOT_URLCONF="views", MESAHUB_URL={server!r}, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
django.setup()
from django.test import Client
client = Client()
assert client.get("/users/1").json() == {{"id": 1, "name": "Ann"}}
assert client.get("/users/999").status_code == 404
add = lambda: client.post("/users", {{"name": "Fay"}}, content_type="application/json")
assert add().status_code == 201
assert (add().status_code, add().json()) == (409, {{"error": "unique", "columns": ["name"]}})
print("done")
""")
    assert environment.run("check.py", cwd=tmp_path).strip() == "done"


def test_celery_with_forked_workers(environment: Environment, server: str, tmp_path: Path) -> None:
    write("recipes/jobs.md", "Celery", tmp_path)
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    options = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
    (tmp_path / "celeryconfig.py").write_text(f"broker_transport_options = {options!r}\n")
    given = {"MESAHUB_URL": server, "CELERY_BROKER_URL": "filesystem://", "CELERY_CONFIG_MODULE": "celeryconfig"}
    command = [
        str(environment.python),
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "--concurrency",
        "2",
        "--loglevel",
        "INFO",
    ]
    with started(command, tmp_path, **given):
        send = "from tasks import charge\nfor i in range(20): charge.delay(f'p{i % 10}', 500)"
        environment.run("-c", send, cwd=tmp_path, **given)
        log = tmp_path / "log.txt"
        for _ in range(400):
            if log.read_text().count("succeeded in") >= 20:
                break
            time.sleep(0.1)
        assert log.read_text().count("succeeded in") == 20, log.read_text()[-3000:]
    assert rows(environment, server, "SELECT count(*) AS n, sum(cents) AS s FROM payments") == [{"n": 10, "s": 5000}]


def test_apscheduler_runs_jobs_in_threads(environment: Environment, server: str, tmp_path: Path) -> None:
    write("recipes/jobs.md", "APScheduler", tmp_path)
    code = """
import time
from jobs import db, scheduler
scheduler.start()
for _ in range(200):
    if db.table("sessions").count() == 1:
        break
    time.sleep(0.05)
scheduler.shutdown()
print(db.table("sessions").count())
"""
    assert environment.run("-c", code, cwd=tmp_path, MESAHUB_URL=server, SWEEP_SECONDS="0.1").strip() == "1"


def test_processes_that_are_spawned_have_clients_of_their_own(
    environment: Environment, server: str, tmp_path: Path
) -> None:
    write("recipes/jobs.md", "multiprocessing", tmp_path)
    assert environment.run("load.py", cwd=tmp_path, MESAHUB_URL=server).strip() == "20000"
    assert rows(environment, server, "SELECT count(*) AS n, max(square) AS m FROM numbers") == [
        {"n": 20_000, "m": 19_999**2}
    ]


def test_a_notebook_shows_rows_as_a_table(environment: Environment, tmp_path: Path) -> None:
    cells = list(files("recipes/jobs.md", "Jupyter").values())
    (tmp_path / "check.py").write_text(f"""
import nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(source) for source in {cells!r}]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
data = notebook.cells[-1].outputs[0].data
assert "<table" in data["text/html"], data
assert "Oslo" in data["text/html"]
print("done")
""")
    environment.run("-m", "ipykernel", "install", "--prefix", str(environment.folder), "--name", "python3")
    variables = {"JUPYTER_PATH": str(environment.folder / "share" / "jupyter"), "HOME": str(tmp_path)}
    assert environment.run("check.py", cwd=tmp_path, **variables).strip().endswith("done")


def test_requests_with_its_tools(environment: Environment, server: str, tmp_path: Path) -> None:
    write("guides/requests.md", "Next to other tools", tmp_path)
    for name in files("guides/requests.md", "Next to other tools"):
        environment.run(name, cwd=tmp_path, MESAHUB_URL=server)


def test_the_image_s_commands_run(environment: Environment, tmp_path: Path) -> None:
    text = files("recipes/packaging.md", "Docker")["Dockerfile"].replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    assert steps[0][0] == "FROM"
    allowed = {"FROM", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in steps} <= allowed
    given = {step[0]: step[1] for step in steps}
    (tmp_path / "token").write_text(TOKEN)
    entry = json.loads(given["ENTRYPOINT"]) + json.loads(given["CMD"])
    port = str(free_port())
    places = {
        "/data": str(tmp_path / "data"),
        "/run/secrets/mesahub_admin_token": str(tmp_path / "token"),
        "4004": port,
    }
    command = [str(places.get(word, word)) for word in entry]
    check = [word.replace("4004", port) for word in json.loads(given["HEALTHCHECK"].partition("CMD")[2])]
    with started([str(environment.python), "-m", *command], tmp_path) as process:
        assert process.stdout is not None
        assert "mh://" in process.stdout.readline()
        assert check[0] == "python"
        environment.run(*check[1:], cwd=tmp_path)


def test_the_unit_is_valid_and_its_command_runs(environment: Environment, tmp_path: Path) -> None:
    write("recipes/packaging.md", "systemd", tmp_path)
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(tmp_path / "mesahub.service")
    assert unit.sections() == ["Unit", "Service", "Install"]
    command = shlex.split(unit["Service"]["ExecStart"])
    (tmp_path / "token").write_text(TOKEN)
    places = {"${STATE_DIRECTORY}": str(tmp_path / "data"), "${CREDENTIALS_DIRECTORY}": str(tmp_path), "4004": "0"}
    for name, value in places.items():
        command = [word.replace(name, value) for word in command]
    assert command[0] == "/opt/mesahub/bin/mesahub"
    with started([str(environment.python.parent / "mesahub"), *command[1:]], tmp_path) as process:
        assert process.stdout is not None
        assert "mh://" in process.stdout.readline()
    assert process.returncode == 0
    analyze = shutil.which("systemd-analyze")
    if analyze:
        text = (tmp_path / "mesahub.service").read_text().replace("/opt/mesahub/bin/mesahub", sys.executable)
        (tmp_path / "mesahub.service").write_text(text)
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(tmp_path / "mesahub.service")], capture_output=True, text=True
        )
        assert "mesahub.service" not in done.stderr, done.stderr


def test_a_lambda_function_runs_from_its_layer(
    wheel: Path, environment: Environment, server: str, tmp_path: Path
) -> None:
    write("recipes/packaging.md", "AWS Lambda", tmp_path / "task")
    layer = tmp_path / "layer" / "python"
    environment.run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(layer), str(wheel))
    for folder in layer.glob("*.dist-info"):
        shutil.rmtree(folder)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'task')!r}, {str(layer)!r}]; from handler import handler; "
        "print(handler({'id': 1}, None), handler({'id': 999}, None)['statusCode'])"
    )
    said = run(this_python(), "-I", "-S", "-c", code, cwd=tmp_path, MESAHUB_URL=server)
    assert said.strip() == "{'statusCode': 200, 'body': {'id': 1, 'name': 'Ann'}} 404"


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
