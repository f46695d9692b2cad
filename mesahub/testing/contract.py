"""`TransportContract`: all parts of the contract in one class."""

from __future__ import annotations

from mesahub.testing.base import Basics
from mesahub.testing.concurrency import Sharing
from mesahub.testing.connection_faults import Faults
from mesahub.testing.http_exchanges import Exchanges
from mesahub.testing.ownership import Ownership
from mesahub.testing.timeouts import Times
from mesahub.testing.tls import Trust


class TransportContract(Basics, Sharing, Exchanges, Ownership, Faults, Times, Trust):
    """Subclass it, define the fixture ``transport``, and have pytest collect the subclass.

    What does not apply is left out by class attributes, each ``True`` unless you say otherwise:

    * ``speaks_http``: it sends HTTP to ``base_url``. When ``False``, define the fixture ``options`` too: a
      `TransportOptions` with which ``SELECT 1 AS one`` on the database ``demo`` is answered.
    * ``has_tls``: it speaks ``https://``.
    * ``bounds_head``: the time given holds for an answer whose headers come in drips, too.
    * ``passes_interim``: it reads on after an interim response (102, 103, ...). One that cannot must raise
      `ConnectionLostError`, and close the connection.
    * ``frames_strictly``: it refuses a response whose end is not certain, and uses no connection again on which bytes
      are left over. Without it, a faulty proxy may hand a caller the response of another.
    * ``bounds_all``: the time given, and ``max_response_bytes``, hold for all that the other tests ask: the wait for a
      connection, trailers, the error body of a download, the response to an upload.
    * ``limits_connections``: no more than ``pool_size`` connections are open; who finds none free waits.
    * ``forks``: it can be used in a child process after ``os.fork``.
    """
