"""A transport with prepared answers, which remembers what it was sent."""

from __future__ import annotations

from typing import Any, ClassVar

from mesahub.transport import Request, Response


class Server:
    """Gives these answers, one by one: statuses, responses, errors; then 200.

    Attributes:
        error: what a status but 200 says.
        sent: the requests.
    """

    error: ClassVar[str] = "no"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Response):
            return answer
        return Response(answer, payload={"headers": [], "rows": []} if answer == 200 else {"error": self.error})

    def close(self) -> None: ...
