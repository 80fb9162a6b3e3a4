"""Where a pinned file may be had, in the order of asking."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from . import SourcesError
from .archive import Archive
from .cache import Cache, address
from .download import Answer, Calls, Download, shown
from .mirrors import Apt
from .pins import Pin
from .servers import NOT_ASKED, Servers, server_of
from .settings import Settings

BLOCK = 1 << 20
LONG_ANSWER = 60


@dataclass
class Failure:
    """A file that was not had: each place and what it answered."""

    pin: Pin
    answers: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, told: set[str]) -> list[str]:
        """For a person. A long answer is told whole only once; what is not asked any more is named by its server."""
        rows: dict[str, None] = {}
        for place, answer in self.answers:
            if answer.startswith(NOT_ASKED):
                place = server_of(place)
            elif len(answer) > LONG_ANSWER and answer in told:
                answer = "as above"
            told.add(answer)
            rows[f"      {place}: {answer}"] = None
        return [f"  {self.pin}", *rows]

    def __str__(self) -> str:
        return "\n".join(self.lines(set()))


def as_apt_writes(path: str) -> str:
    """A pool path in an address: a plus sign is %2b, which some servers take in no other form."""
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quote(path, safe="/~._-"))


class Places:
    """Asks one place after another for a file. Thread-safe."""

    def __init__(
        self, settings: Settings, cache: Cache, apt: Apt, archive: Archive, servers: Servers, calls: Calls
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._apt = apt
        self._archive = archive
        self._calls = calls
        self._servers = servers
        self._index_lock = threading.Lock()

    def get(self, pin: Pin, progress: Callable[[int], None]) -> Failure | None:
        """Brings the file into the cache; the caller holds its lock. OSError: this machine cannot keep it (a full
        disk)."""
        failure = Failure(pin)
        download = Download(pin, self._cache.partial(pin), self._settings, self._calls, progress)
        if download.whole():
            # An earlier run was ended just before it was kept.
            self._cache.adopt(pin, download.partial)
            return None
        for part in (self._own, self._mirrors, self._index, self._snapshot):
            asked: set[str] = set()
            for name, ask in part(pin, download):
                if name in asked:
                    continue
                asked.add(name)
                answer = ask()
                if answer.ok:
                    self._cache.adopt(pin, download.partial)
                    return None
                if self._calls.stopped.is_set():
                    return failure
                failure.answers.append((name, answer.text))
        return failure

    def _remote(self, url: str, download: Download, other_form: str = "") -> tuple[str, Callable[[], Answer]]:
        def ask() -> Answer:
            reason = self._servers.out(url)
            if reason:
                return Answer(False, reason)

            server = self._servers.of(url)
            answer = download.ask(url, self._apt.way(url), server)
            if answer.text == "answered 404" and other_form:
                answer = download.ask(other_form, self._apt.way(url), server)
            self._servers.note(url, answer)
            return answer

        return shown(url), ask

    def _at(self, base: str, path: str, download: Download) -> tuple[str, Callable[[], Answer]]:
        """A pool path as apt writes it, and for servers that want it so with its plus signs as they are."""
        if base.startswith(("file:", "copy:")):
            local = Path(unquote(re.sub("^(file|copy):(//)?", "", base))) / path
            return str(local), lambda: self._copy(local, download)
        form = as_apt_writes(path)
        return self._remote(base + form, download, base + path if form != path else "")

    def _own(self, pin: Pin, download: Download) -> Iterator[tuple[str, Callable[[], Answer]]]:
        """The places of SLICENODE_SOURCES."""
        for place in self._settings.sources:
            if place.startswith(("http://", "https://")):
                if not self._settings.offline:
                    yield self._remote(f"{place.rstrip('/')}/{address(pin.sha256)}", download)
            else:
                folder = Path(unquote(place.removeprefix("file://")) if place.startswith("file://") else place)
                path = folder / address(pin.sha256)
                yield str(path), lambda: self._place(folder, path, download)
        if self._settings.offline:
            yield "the network", lambda: Answer(False, "not asked: OFFLINE=1")

    def _place(self, folder: Path, path: Path, download: Download) -> Answer:
        if not folder.is_dir():
            return Answer(False, f"there is no folder {folder}")
        return self._copy(path, download)

    def _copy(self, path: Path, download: Download) -> Answer:
        pin = download.pin
        try:
            source = path.open("rb") if path.is_file() else None
        except OSError as error:
            return Answer(False, error.strerror or str(error))
        if source is None:
            return Answer(False, "is not there")
        download.drop()
        found = hashlib.sha256()
        with source, download.partial.open("wb") as target:
            while block := source.read(BLOCK):
                found.update(block)
                target.write(block)
        if found.hexdigest() == pin.sha256:
            download.progress(pin.size)
            return Answer(True, "")
        size = download.partial.stat().st_size
        download.drop()
        return Answer(False, f"is another file: {size} of {pin.size} bytes, sha256 {found.hexdigest()}")

    def _pool(self, pin: Pin) -> Iterator[tuple[str, str]]:
        """Pool paths on the host's mirrors: what left the main archive is often still in security's, and the other
        way round."""
        bare = pin.path.removeprefix("pool/updates/").removeprefix("pool/")
        both = {False: f"pool/{bare}", True: f"pool/updates/{bare}"}
        mirrors = {mirror.base: mirror.suite.endswith("-security") for mirror in self._apt.mirrors()}
        first = pin.archive == "debian-security"
        for base, security in sorted(mirrors.items(), key=lambda item: item[1] != first):
            yield base, both[security]

    def _mirrors(self, pin: Pin, download: Download) -> Iterator[tuple[str, Callable[[], Answer]]]:
        if self._settings.offline:
            return
        try:
            addresses = list(self._pool(pin))
        except SourcesError as error:
            text = str(error)
            yield "the host's mirrors", lambda: Answer(False, text)
            return
        if not addresses:
            yield "the host's mirrors", lambda: Answer(
                False, "apt's configuration names no Debian mirror for this host's release"
            )
        for base, path in addresses:
            yield self._at(base, path, download)

    def _index(self, pin: Pin, download: Download) -> Iterator[tuple[str, Callable[[], Answer]]]:
        """What the index says: another address of the very same file."""
        if self._settings.offline:
            return
        try:
            with self._index_lock:
                offers = self._archive.offers([(pin.kind, pin.package)])
        except SourcesError as error:
            text = str(error)
            yield "the suite's index", lambda: Answer(False, text)
            return
        known = set(self._pool(pin))
        same = [offer for offer in offers if offer.sha256 == pin.sha256]
        if not same:
            versions = ", ".join(dict.fromkeys(offer.version for offer in offers)) or "nothing"
            yield "the suite's index", lambda: Answer(
                False, f"does not name it any more; of {pin.package} it has: {versions}"
            )
        for offer in same:
            if (offer.base, offer.path) not in known:
                yield self._at(offer.base, offer.path, download)

    def _snapshot(self, pin: Pin, download: Download) -> Iterator[tuple[str, Callable[[], Answer]]]:
        """Debian's snapshot service: by SHA-1, then by date; one request at a time on this machine, with pauses."""
        base = self._settings.snapshot
        if self._settings.offline or not base:
            return
        urls = [f"{base}/file/{pin.sha1}"] if pin.sha1 else []
        if pin.date:
            urls.append(f"{base}/archive/{pin.archive}/{pin.date}/{as_apt_writes(pin.path)}")
        for url in urls:
            name, ask = self._remote(url, download)
            yield name, lambda url=url, ask=ask: self._slowly(url, ask)  # type: ignore[misc]

    def _slowly(self, url: str, ask: Callable[[], Answer]) -> Answer:
        # One that is out of order needs no pauses: hundreds of files would wait for each other for minutes.
        if self._servers.out(url):
            return ask()
        with self._cache.locked("snapshot", self._calls.stopped):
            is_asked = not self._servers.out(url)
            answer = ask()
            if is_asked:
                time.sleep(self._settings.retry_s / 5)
            return answer
