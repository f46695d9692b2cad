"""The transport ``urllib3``: for applications that live on urllib3, and for SOCKS and HTTPS proxies."""

from mesahub_urllib3.transport import Urllib3Transport

__all__ = ["Urllib3Transport"]
