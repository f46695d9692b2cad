"""Record the calls made over another transport, and replay them without a network.

It works with operations, SQL and values, not with HTTP's bytes: see `RecorderTransport`.
"""

from mesahub_recorder.errors import CassetteDriftError, CassetteError, CassetteMissError
from mesahub_recorder.transport import RecorderTransport

__all__ = ["CassetteDriftError", "CassetteError", "CassetteMissError", "RecorderTransport"]
