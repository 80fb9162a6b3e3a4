"""serve, ca, pin, conf: the controller itself."""

import argparse
from pathlib import Path

from ..files.exports import Exports
from ..files.faults import BadFaults, Faults, read_rules
from ..files.files import Images
from ..node_api.context import Context
from ..node_api.mailbox import Mailboxes
from ..node_api.server import Server, tls_context, write_port_file
from ..node_api.service import Options, Service
from ..state import tokens
from . import lookup
from .lookup import CommandError
from .session import QEMU_HOST, Session

NAMES = ["127.0.0.1", "::1", "localhost", QEMU_HOST]
UNSPECIFIC = ("0.0.0.0", "::", "127.0.0.1", "::1", "localhost")


def serve(session: Session, arguments: argparse.Namespace) -> None:
    host, port = split_address(arguments.listen)
    session.claim()
    names = [*(arguments.name or []), *NAMES]
    if host not in UNSPECIFIC:
        names.append(host)
    session.ca.ensure_server_certificate(names)
    images = Images(arguments.images) if arguments.images is not None else None
    if images is not None and not images.folder.is_dir():
        raise CommandError(f"not a folder: {arguments.images}")
    if arguments.faults is not None and arguments.faults.exists():
        try:
            read_rules(arguments.faults.read_text(encoding="utf-8"))
        except BadFaults as error:
            raise CommandError(str(error)) from None
    store = session.store
    mailboxes = Mailboxes()
    options = Options(
        heartbeat_seconds=arguments.heartbeat,
        poll_wait_seconds=arguments.poll_wait,
        certificate_days=arguments.certificate_days,
        approve=arguments.approve,
    )
    service = Service(store, session.ca, mailboxes, options)
    faults = Faults(arguments.faults)
    exports = Exports(session.folder / "exports")
    context = Context(
        store, service, session.protocol, faults, images, exports, arguments.verbose
    )
    server = Server(context, mailboxes)
    http_port = None
    try:
        port = server.listen((host, port), tls_context(session.ca))
        if arguments.http is not None:
            http_port = server.listen((host, arguments.http), None)
    except (OSError, OverflowError) as error:
        raise CommandError(f"cannot listen on {arguments.listen}: {error}") from None
    _remember(session, arguments, host, port, http_port)
    if arguments.port_file is not None:
        write_port_file(arguments.port_file, port, http_port)
    context.log(f"serving {session.url()} from {session.folder}, listening on {host} port {port}")
    server.run()


def _remember(
    session: Session,
    arguments: argparse.Namespace,
    host: str,
    port: int,
    http_port: int | None,
) -> None:
    """What the commands need to know of the server that runs, or ran last."""
    named = (arguments.name or [None])[0]
    values = {
        "port": str(port),
        "http_port": None if http_port is None else str(http_port),
        "images": None if arguments.images is None else str(arguments.images.resolve()),
        "heartbeat_seconds": str(arguments.heartbeat),
        "host": named or (None if host in UNSPECIFIC else host),
        "url": arguments.url.rstrip("/") if arguments.url else None,
    }
    with session.store.transaction():
        for key, value in values.items():
            if value is None:
                session.store.run("DELETE FROM settings WHERE key = ?", key)
            else:
                session.store.set_setting(key, value)


def split_address(text: str) -> tuple[str, int]:
    """Host and port of texts such as `127.0.0.1:8443`, `[::]:8443`, `:8443`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise CommandError(f"not an address and port: {text}", lookup.USAGE)
    return host or "0.0.0.0", int(port)


def show_ca(session: Session, arguments: argparse.Namespace) -> None:
    print(session.ca.certificate(), end="")


def show_pin(session: Session, arguments: argparse.Namespace) -> None:
    print(session.ca.pin())


def show_conf(session: Session, arguments: argparse.Namespace) -> None:
    """A slicenode.conf for one new node."""
    lines = [f"slicenode.controller={arguments.url or session.url()}"]
    if arguments.name:
        lines.append(f"slicenode.name={arguments.name}")
    for key in ("net", "disk", "ntp"):
        if getattr(arguments, key):
            lines.append(f"slicenode.{key}={getattr(arguments, key)}")
    if arguments.ssh_key:
        lines.append(f"slicenode.ssh_key={first_key(arguments.ssh_key)}")
    token = arguments.token
    if token is None and not arguments.no_token:
        token = tokens.create(session.store, arguments.ttl, arguments.name or "")[1]
    if token is not None:
        lines.append(f"slicenode.token={token}")
    if arguments.pin:
        lines.append(f"slicenode.pin={session.ca.pin()}")
    else:
        lines.append(f"slicenode.ca={session.ca.certificate().strip()}")
    print("\n".join(lines))


def first_key(file: str) -> str:
    """The first public key of a file such as ~/.ssh/id_ed25519.pub."""
    for line in lookup.read_text(file).splitlines():
        if line.strip() and not line.startswith("#"):
            return line.strip()
    raise CommandError(f"no key in {file}")


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("serve", help="run the controller in the foreground")
    parser.add_argument("--listen", default="127.0.0.1:8443", metavar="ADDRESS:PORT",
                        help="port 0 takes a free one")  # fmt: skip
    parser.add_argument("--name", action="append", metavar="NAME",
                        help="another name or address for the certificate")  # fmt: skip
    parser.add_argument("--url", help="where nodes reach the controller, for `conf`")
    parser.add_argument("--port-file", type=Path, help="write the port here once it is open")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="serve it as /images/")
    parser.add_argument("--http", type=int, metavar="PORT", help="images by plain HTTP as well")
    parser.add_argument("--approve", action="store_true", help="nodes wait for `nodes approve`")
    parser.add_argument("--heartbeat", type=int, default=30, metavar="SECONDS")
    parser.add_argument("--poll-wait", type=int, default=30, metavar="SECONDS")
    parser.add_argument("--certificate-days", type=int, default=90, metavar="DAYS")
    parser.add_argument("--faults", type=Path, metavar="FILE",
                        help="for tests: break answers as faults.py says")  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="log every call")
    parser.set_defaults(run=serve)

    parser = commands.add_parser("ca", help="print the CA certificate")
    parser.set_defaults(run=show_ca)
    parser = commands.add_parser("pin", help="print the server's key as curl's --pinnedpubkey")
    parser.set_defaults(run=show_pin)

    parser = commands.add_parser("conf", help="print a slicenode.conf for a new node")
    parser.add_argument("--url", help="the controller as the node sees it")
    parser.add_argument("--name", help="name of the node")
    parser.add_argument("--ttl", type=lookup.duration, default=lookup.duration("7d"),
                        help="how long the token is good (default 7d)")  # fmt: skip
    parser.add_argument("--token", help="this one and no new one")
    parser.add_argument("--no-token", action="store_true")
    parser.add_argument("--pin", action="store_true", help="the server's pin in place of the CA")
    parser.add_argument("--net", help="value of slicenode.net")
    parser.add_argument("--disk", help="value of slicenode.disk")
    parser.add_argument("--ntp", help="value of slicenode.ntp")
    parser.add_argument("--ssh-key", metavar="FILE", help="public key to let into the node")
    parser.set_defaults(run=show_conf)
