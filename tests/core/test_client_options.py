"""The keyword arguments that all clients have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mesahub
from mesahub import ClientOptions, ConfigurationError
from mesahub._calls.arguments import split_options, transport_arguments
from mesahub._calls.client_options import ConnectOptions, TransportArguments
from mesahub.transport import TransportOptions
from mesahub.transport.options import CLIENT_ARGUMENTS


def test_the_typed_options_are_those_that_a_client_takes() -> None:
    own = set(ClientOptions.__annotations__) - set(TransportArguments.__annotations__)
    assert own - {"transport_options"} == set(split_options({})[0])
    assert set(ConnectOptions.__annotations__) - set(TransportArguments.__annotations__) == set(CLIENT_ARGUMENTS)


def test_the_defaults_of_a_client_are_those_of_the_transports() -> None:
    own, _ = split_options({})
    options = TransportOptions()
    for name in ("connect_timeout", "tls", "proxies", "pool_size", "max_response_bytes"):
        assert own[name] == getattr(options, name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tiemout", "timeout"),
        ("middlewares", "middleware"),
        ("proxy", "proxies"),
        ("connection_timeout", "connect_timeout"),
        ("apikey", "api_key"),
        ("keepalive", "keep_alive"),
    ],
)
def test_a_misspelt_option_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    wrong: dict[str, Any] = {name: 3}
    makers: list[Callable[[], Any]] = [
        lambda: mesahub.connect("mh://k@h/db", **wrong),
        lambda: mesahub.MesahubClient("k", "http://h", **wrong),
        lambda: mesahub.MesahubManagementClient("http://h", "k", **wrong),
    ]
    if name != "keepalive":
        makers.append(lambda: mesahub.connect("mh://local/db", **wrong))
    for make in makers:
        with pytest.raises(ConfigurationError, match=f"{name}.*Did you mean '{meant}'"):
            make()


def test_transport_options_go_to_the_transport() -> None:
    seen: dict[str, object] = {}

    def factory(options: TransportOptions) -> Any:
        seen.update(options.options)
        raise ConfigurationError("enough")

    with pytest.raises(ConfigurationError, match="enough"):
        mesahub.connect("mh://k@h/db", transport=factory, transport_options={"own": 1}, keep_alive=True)
    assert seen == {"own": 1, "keep_alive": True}


@pytest.mark.parametrize("wrong", [5, "x", [1], {1: 2}])
def test_transport_options_must_be_a_dict_by_name(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="transport_options must be a dict"):
        mesahub.connect("mh://k@h/db", transport_options=wrong)


def test_options_show_no_values() -> None:
    assert repr(transport_arguments({"auth_token": "T0p"})) == "{'auth_token': ***}"
