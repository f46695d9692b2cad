"""The transport ``aiohttp``: for applications that have a session of aiohttp already."""

from mesahub_aiohttp.transport import AiohttpTransport

__all__ = ["AiohttpTransport"]
