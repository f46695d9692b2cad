"""Records what goes over another transport, and replays it without any network.

It works with operations, SQL and values, not with HTTP's bytes: see `RecorderTransport`.
"""

from mesahub_recorder.errors import CassetteDriftError, CassetteError, CassetteMissError
from mesahub_recorder.transport import RecorderTransport

__all__ = ["CassetteDriftError", "CassetteError", "CassetteMissError", "RecorderTransport"]
