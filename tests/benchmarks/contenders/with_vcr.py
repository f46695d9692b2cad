"""vcrpy: the same calls as it records them, as HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import workload
from vcr.cassette import Cassette
from vcr.persisters.filesystem import FilesystemPersister
from vcr.request import Request
from vcr.serializers import jsonserializer, yamlserializer

Run = Callable[[int], object]


def load_cassette(folder: str, count: int, kind: str) -> Run:
    serializer = yamlserializer if kind == "yaml" else jsonserializer
    path = Path(folder) / f"vcr.{kind}"
    requests, responses = [], []
    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    for number, row in enumerate(workload.rows(count)):
        body = json.dumps({"sql": workload.SQL, "bindings": [number, 1]})
        requests.append(Request("POST", "http://core/v1/query/db", body, headers))
        answer = json.loads(workload.answer(1))
        answer["rows"] = [row]
        responses.append(
            {
                "status": {"code": 200, "message": "OK"},
                "headers": {"Content-Type": ["application/json"], "Content-Length": ["600"]},
                "body": {"string": json.dumps(answer)},
            }
        )
    FilesystemPersister.save_cassette(path, {"requests": requests, "responses": responses}, serializer)

    def run(n: int) -> None:
        for _ in range(n):
            cassette = Cassette.load(path=str(path), serializer=serializer, persister=FilesystemPersister)
            assert len(cassette) == count

    return run
