"""One WSGI application on a free loopback port, served by threads of this process."""

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger(__name__)


class QuietHandler(WSGIRequestHandler):
    """Writes no line per request, and closes a connection whose answer is withheld."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the call records say more."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        _log.debug("%s: %s", type, message % args if args else message)

    def connection_dropped(self, *_: Any, **__: Any) -> None:
        """An application raises ConnectionError to hang up without an answer."""
        self.close_connection = True


class HttpServer:
    """Serves an application at `url` from `start` to `stop`; each request has its own thread.

    Connections are closed after each answer, as werkzeug does. An application that raises
    ConnectionError hangs up without an answer.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        *,
        name: str,
        handler: type[WSGIRequestHandler] = QuietHandler,
    ) -> None:
        self._app = app
        self._name = name
        self._handler = handler
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Returns once connections are taken.

        Raises:
            OSError: no port could be bound.
            RuntimeError: it is running already.
        """
        if self._server is not None:
            raise RuntimeError(f"{self._name} is running already")
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            server = _Server(self._app, self._handler, listener)
        self._thread = threading.Thread(
            target=self._serve, args=(server,), name=self._name, daemon=True
        )
        self._thread.start()
        self._server = server

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, no slash at the end.

        Raises:
            RuntimeError: it is not running, with what broke it as the cause.
        """
        if self._server is None or self._failure is not None:
            raise RuntimeError(f"{self._name} is not running") from self._failure
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self, seconds: float = 5.0) -> None:
        """Frees the port, hangs up on every client and joins the threads for up to `seconds` each.

        Harmless when it is not running.
        """
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        server.shutdown()
        server.hang_up(seconds)
        self._thread.join(seconds)

    def _serve(self, server: "_Server") -> None:
        try:
            server.serve_forever(poll_interval=0.05)
        except BaseException as exc:  # noqa: BLE001
            self._failure = exc


class _Server(ThreadedWSGIServer):
    """Knows its request threads and their sockets, so that `hang_up` leaves none behind."""

    def __init__(
        self, app: "WSGIApplication", handler: type[WSGIRequestHandler], listener: socket.socket
    ) -> None:
        self._mutex = threading.Lock()
        self._serving: dict[threading.Thread, socket.socket] = {}
        # A bound socket is handed in: werkzeug answers a failed bind with sys.exit.
        super().__init__("127.0.0.1", 0, app, handler, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._mutex:
            self._serving = {t: s for t, s in self._serving.items() if t.is_alive()}
            thread.start()
            self._serving[thread] = request

    def hang_up(self, seconds: float) -> None:
        with self._mutex:
            serving, self._serving = self._serving, {}
        for thread, client in serving.items():
            _shut(client)
            thread.join(seconds)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """An application that crashed: the traceback goes to our log, the client gets a 500."""
        _log.error("%s: %s", type, message % args if args else message)


def _shut(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # its own thread was quicker
