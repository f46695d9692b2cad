"""requests, with requests-toolbelt for streamed uploads."""

from __future__ import annotations

from collections.abc import Callable

import requests
import workload
from requests_toolbelt import MultipartEncoder

Run = Callable[[int], object]
HEADERS = {"Authorization": f"Bearer {workload.KEY}", "Content-Type": "application/json"}


def find_one(url: str) -> Run:
    session = requests.Session()
    target = f"{url}/v1/query/one"

    def run(n: int) -> None:
        for _ in range(n):
            answer = session.post(target, data=workload.BODY, headers=HEADERS, timeout=30)
            assert len(answer.json()["rows"]) == 1

    return run


def _session(url: str) -> tuple[requests.Session, str]:
    from urllib.parse import urlsplit

    parts = urlsplit("http" + url[2:])
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {parts.username}"
    return session, f"http://{parts.hostname}:{parts.port}/api/db{parts.path}/files"


def upload(url: str, path: str) -> Run:
    session, files = _session(url)

    def run(n: int) -> None:
        for _ in range(n):
            with open(path, "rb") as file:
                # requests alone reads a multipart body into memory before it sends it.
                body = MultipartEncoder({"file": ("big.txt", file, "text/plain")})
                answer = session.post(files, data=body, headers={"Content-Type": body.content_type}, timeout=60)
            session.delete(f"{files}/{answer.json()['id']}", timeout=60).raise_for_status()

    return run


def download(url: str, path: str, target: str) -> Run:
    session, files = _session(url)
    with open(path, "rb") as file:
        answer = session.post(files, files={"file": ("big.txt", file, "text/plain")}, timeout=60)
    source = f"{files}/{answer.json()['id']}"
    del answer

    def run(n: int) -> None:
        for _ in range(n):
            with session.get(source, stream=True, timeout=60) as got, open(target, "wb") as file:
                for piece in got.iter_content(256 * 1024):
                    file.write(piece)

    return run
