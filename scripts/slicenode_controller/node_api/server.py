"""The process that serves: listeners, threads, housekeeping, an orderly end."""

import resource
import signal
import socket
import ssl
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..state import requests
from ..state.store import LOOK_AGAIN_SECONDS
from .ca import Ca
from .context import Context
from .mailbox import Mailboxes
from .web import Handler

CONNECTIONS = 4096
FILES = 2 * CONNECTIONS
WRITE_DOWN_SECONDS = 0.5
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Listener(ThreadingHTTPServer):
    """One port; a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], context: Context, tls: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.context = context
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        handler = type("BoundHandler", (Handler,), {"context": context, "tls": tls})
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """As http.server does, without asking the name service who we are."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.context.log(f"too many connections: {client_address[0]} is turned away")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, (OSError, ssl.SSLError)):
            self.context.log_access(f"{client_address[0]} connection ended: {error}")
        else:
            self.context.log_failure(f"{client_address[0]} connection failed")


def tls_context(ca: Ca) -> ssl.SSLContext:
    """TLS 1.2 or newer; a client certificate may be missing, but not be wrong."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(ca.server_certificate_file, ca.server_key_file)
    tls.load_verify_locations(ca.certificate_file)
    tls.verify_mode = ssl.CERT_OPTIONAL
    return tls


class Server:
    """All listeners and the housekeeping thread."""

    def __init__(self, context: Context, mailboxes: Mailboxes) -> None:
        self._context = context
        self._mailboxes = mailboxes
        self._listeners: list[Listener] = []
        self._stop = threading.Event()
        # Held back in all threads, and asked for: a handler would run in the main thread, which would not notice one
        # that came just before it began to wait for an event.
        signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)

    def listen(self, address: tuple[str, int], tls: ssl.SSLContext | None) -> int:
        """Opens a port and gives its number."""
        listener = Listener(address, self._context, tls)
        self._listeners.append(listener)
        return listener.server_port

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        # Each node keeps one or two connections open; 1,024 files would be used up soon.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = hard if hard != resource.RLIM_INFINITY else FILES
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, FILES), hard))
        for listener in self._listeners:
            serving = partial(listener.serve_forever, poll_interval=0.1)
            threading.Thread(target=serving, daemon=True).start()
        housekeeping = threading.Thread(target=self._keep_house, daemon=True)
        housekeeping.start()
        signal.sigwait(END_SIGNALS)
        # Another one ends at once what does not end.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, END_SIGNALS)
        self._stop.set()
        self._mailboxes.close()
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()
        housekeeping.join()
        self._context.write_down()

    def _keep_house(self) -> None:
        watcher = self._context.store.watcher()
        seen = requests.newest(self._context.store)
        rounds = 0
        while not self._stop.wait(LOOK_AGAIN_SECONDS):
            try:
                if watcher.changed():
                    newest = requests.newest(self._context.store)
                    for node_id in requests.nodes_with_newer(self._context.store, seen):
                        self._mailboxes.call(node_id)
                    seen = newest
                rounds += 1
                if rounds * LOOK_AGAIN_SECONDS >= WRITE_DOWN_SECONDS:
                    rounds = 0
                    self._context.write_down()
            except Exception:
                self._context.log_failure("housekeeping failed")
        watcher.close()


def write_port_file(file: Path, port: int, http_port: int | None) -> None:
    """The ports, one to a line, in a file that is never seen half written."""
    scratch = file.with_name(file.name + ".new")
    ports = [port] if http_port is None else [port, http_port]
    scratch.write_text("".join(f"{number}\n" for number in ports), encoding="ascii")
    scratch.replace(file)
