"""The asynchronous dialect under a name of its own: the suite chooses by the URL alone."""

from sqlalchemy.engine import URL

from mesahub.integrations.sqlalchemy_asyncio import AsyncMesahubDialect


class Dialect(AsyncMesahubDialect):
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url):
        return super().get_pool_class(given(url))

    def create_connect_args(self, url):
        return super().create_connect_args(given(url))


def given(url: URL) -> URL:
    return url.set(drivername="mesahub+mh" if url.host else "mesahub+sqlite")
