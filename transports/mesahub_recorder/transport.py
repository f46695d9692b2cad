"""The recorder: wraps another transport, or replaces it."""

from __future__ import annotations

from mesahub.transport import Request, Response
from mesahub_recorder.call import Call
from mesahub_recorder.recording import MODES, Recording

__all__ = ["MODES", "RecorderTransport"]


class RecorderTransport(Recording):
    """Records the calls made over another transport once, and replays them.

    Calls are matched by operation, database, SQL (not its white space and comments) and values with their types. The
    answer of a read depends on the writes before it.

    Args:
        options: of its own it takes

            * ``cassette``: the file (needed).
            * ``mode``: ``"replay"`` (default; never touches the network), ``"record"`` (a new cassette), ``"rewrite"``
              (record, in place of one that is there), ``"extend"`` (replay what is known, record what is new),
              ``"verify"`` (go live and compare; what differs is raised by ``close()``), ``"live"`` (do nothing).
            * ``inner``: the transport to record, by name, factory or instance; default ``"urllib"``.
            * ``repeats``: may a read be replayed more often than it was recorded? Default ``True``.
            * ``ignore_bindings``: values that change from run to run: names, patterns, positions, ``"<uuid>"``,
              ``"<now>"``.
            * ``redact``: names or patterns of bindings and columns that are secret. A cassette in which such a value
              would still be found, plain or encoded, is not written.
            * ``part``: a name for what this recorder records, in a cassette that several recorders share: each
              replays, and replaces, its own part only.
            * ``databases``: names of databases in the cassette, to the names that they have where it goes live.
            * ``record_failures``: record throttled and failed attempts too. Default ``False``.
            * ``inject``: faults to play, see `mesahub_recorder.fault_injection`.
            * ``max_age``: days after which a cassette is too old to be replayed.
            * ``unused``: ``"fail"`` or ``"warn"`` when ``close()`` finds interactions that were never asked for.
            * ``unordered``: ``"fail"`` or ``"warn"`` when a SELECT without ORDER BY gave several rows: a test that
              compares them by position is order-dependent.

    Raises:
        ConfigurationError: a wrong option.
        CassetteError: the cassette cannot be read.
    """

    def send(self, request: Request) -> Response:
        """Answer a request: from the cassette, from the inner transport, or first from one and then the other."""
        call = self._begin(request)
        if self.mode == "live":
            return self._live(request)
        refused = self._injection.before(call)
        if refused is not None:
            return refused
        replayed = self._replayed(request, call)
        if replayed is not None:
            return replayed
        return self._injection.after(call, self._record(request, call))

    def _record(self, request: Request, call: Call) -> Response:
        with self._recording(request, call):
            return self._kept(request, call, self._live(request))

    def _live(self, request: Request) -> Response:
        request = self._renamed(request)
        response: Response = self._inner.send(request)
        return response

    def discard(self) -> bool:
        """Close without writing or checking anything. Returns whether there was something to write."""
        if self._closed:
            return False
        self._closed = True
        self._release()
        return self._has_recorded()

    def close(self) -> None:
        """Write the recording, and report what was unused or has changed.

        Raises:
            CassetteError: a secret is in it, another recorder wrote the same file meanwhile, or (``unused="fail"``)
                something was never asked for.
            CassetteDriftError: (``mode="verify"``) the server answers otherwise.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._save()
        finally:
            self._release()
        self._report()

    def _release(self) -> None:
        if self._inner is not None and self._owns_inner:
            self._inner.close()
        self._remove_folder()
