"""What SQLAlchemy's suite may ask of mesahub: SQLAlchemy's own requirements for SQLite, without what is refused.

``sqlalchemy_requirements`` is ``test/requirements.py`` of SQLAlchemy's sdist.
"""

import os

from sqlalchemy.testing import exclusions
from sqlalchemy_requirements import DefaultRequirements

HTTP = os.environ["WAY"] == "http"
LIBSQL = os.environ["WAY"] == "libsql"


def closed():
    return exclusions.closed()


class Requirements(DefaultRequirements):
    # ATTACH is refused: no second schema.
    schemas = property(lambda self: closed())
    # A function of Python cannot be registered with an engine.
    regexp_match = property(lambda self: closed())
    regexp_replace = property(lambda self: closed())
    # Refused where it is bound: JSON has no infinity.
    infinity_floats = property(lambda self: closed())

    if HTTP:
        # A connection per request: savepoints would end with it.
        savepoints = property(lambda self: closed())
        compat_savepoints = property(lambda self: closed())

    if HTTP or LIBSQL:
        # They would end with the request; libSQL rejects them.
        temporary_tables = property(lambda self: closed())
        temporary_views = property(lambda self: closed())
        temp_table_names = property(lambda self: closed())
        temp_table_reflection = property(lambda self: closed())
        temp_table_reflect_indexes = property(lambda self: closed())
        has_temp_table = property(lambda self: closed())

    def _sqlite_file_db(self, config):
        return False

    def _sqlite_memory_db(self, config):
        # Without a server the suite runs in memory, on one connection.
        return not HTTP and not LIBSQL

    def get_isolation_levels(self, config):
        levels = ["AUTOCOMMIT"] if HTTP else ["AUTOCOMMIT", "SERIALIZABLE"]
        return {"default": levels[-1], "supported": levels}
