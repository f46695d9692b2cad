"""Exceptions of requests, and of urllib3 below it, in the words of the contract."""

from __future__ import annotations

from requests import exceptions as r
from urllib3 import exceptions as u

from mesahub._util.tracebacks import forget_frames
from mesahub.errors import ConfigurationError, ConnectionLostError, MesahubError, Outcome, RequestTimeoutError
from mesahub_urllib3.errors import chained
from mesahub_urllib3.errors import translated as of_urllib3
from mesahub_urllib3.limits import Limits


def translated(error: BaseException, peer: str, limits: Limits) -> MesahubError:
    """The contract's error for one of requests' or urllib3's, which loses its frames and the request in it."""
    chain = list(chained(error))
    translation = _particular(error, chain, peer) or of_urllib3(error, peer, limits)
    for each in chain:
        forget_frames(each)
        if isinstance(each, r.RequestException):
            each.request = each.response = None  # with the key in its headers
    return translation


def _particular(error: BaseException, chain: list[BaseException], peer: str) -> MesahubError | None:
    if isinstance(error, r.InvalidHeader) and any(isinstance(each, u.InvalidHeader) for each in chain):
        # The response's: the request was sent. (The request's own are refused when it is prepared.)
        return ConnectionLostError(f"No trustworthy response from {peer}: {chain[-1]}.")
    if isinstance(error, r.InvalidURL | r.InvalidHeader | r.MissingSchema | r.InvalidSchema):
        return ConfigurationError(f"requests cannot send this: {error}.")
    if type(error) is OSError and "Could not find" in str(error):
        return ConfigurationError(f"The session's certificates cannot be used: {error}.")
    if isinstance(error, r.ConnectTimeout):
        return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
    return None
