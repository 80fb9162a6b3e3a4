"""The controller's own certificate authority, by the openssl command.

All keys and certificates lie in one folder. `openssl ca` is used rather than `openssl x509`
because it can date a certificate back: a node without NTP starts with the clock of its image's
build, and must still find the controller's certificate valid.
"""

import base64
import fcntl
import hashlib
import ipaddress
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

BACKDATED = datetime(2020, 1, 1, tzinfo=UTC)
CA_DAYS = 3650
SERVER_DAYS = 825
RENEW_SERVER_DAYS = 30

CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
email_in_dn = no
[any]
commonName = supplied
organizationName = optional
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {alternative_names}
[node]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class CaError(Exception):
    """openssl failed; the text says what it printed."""


class BadCsr(ValueError):
    """The certificate request is not acceptable."""


class Ca:
    """A folder with ca.key, ca.pem, server.key, server.pem. Safe for several processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if not self.certificate_file.exists():
                self._create()

    @property
    def certificate_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server_key_file(self) -> Path:
        return self.folder / "server.key"

    @property
    def server_certificate_file(self) -> Path:
        return self.folder / "server.pem"

    def certificate(self) -> str:
        return self.certificate_file.read_text(encoding="ascii")

    def pin(self) -> str:
        """The server's public key as curl's --pinnedpubkey and slicenode.pin write it."""
        key = _openssl("pkey", "-in", str(self.server_key_file), "-pubout", "-outform", "DER")
        return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")

    def ensure_server_certificate(self, names: list[str]) -> None:
        """Issues the server's certificate unless the present one has these names for long."""
        wanted = ",".join(f"{_kind_of_name(name)}:{name}" for name in dict.fromkeys(names))
        with self._locked():
            noted = self.folder / "server.names"
            if (
                noted.exists()
                and noted.read_text(encoding="utf-8") == wanted
                and _days_left(self.server_certificate_file) > RENEW_SERVER_DAYS
            ):
                return
            request = _openssl(
                "req", "-new", "-key", str(self.server_key_file), "-subj", "/CN=slicenode"
            )
            subject = f"/CN={names[0]}/O=Slicenode controller"
            text = self._sign(request, subject, "server", BACKDATED, SERVER_DAYS, wanted)
            _replace(self.server_certificate_file, text)
            _replace(noted, wanted)

    def sign_node(self, csr: str, node_id: str, days: int) -> tuple[str, datetime]:
        """A node's certificate and when it ends. The CSR gives the key and nothing else."""
        subject = f"/CN={node_id}/O=Slicenode node"
        start = datetime.now(UTC) - timedelta(hours=1)
        text = self._sign(csr.encode("ascii"), subject, "node", start, days)
        return text, datetime.now(UTC) + timedelta(days=days)

    def _create(self) -> None:
        for name in ("ca.key", "server.key"):
            key = _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
            _replace(self.folder / name, key.decode("ascii"))
        subject = "/CN=Slicenode development controller/O=Slicenode"
        request = _openssl(
            "req", "-new", "-key", str(self.folder / "ca.key"), "-subj", "/CN=slicenode"
        )
        text = self._sign(request, subject, "authority", BACKDATED, CA_DAYS, selfsign=True)
        _replace(self.certificate_file, text)

    def _sign(
        self,
        csr: bytes,
        subject: str,
        extensions: str,
        start: datetime,
        days: int,
        alternative_names: str = "DNS:localhost",
        selfsign: bool = False,
    ) -> str:
        end = datetime.now(UTC) + timedelta(days=days)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            config = Path(scratch) / "openssl.cnf"
            names = alternative_names
            config.write_text(CONFIG.format(folder=scratch, alternative_names=names))
            # openssl ca wants a list of what it signed. Serial numbers are random and the store
            # knows the nodes, so nobody needs it, and signing needs no lock.
            (Path(scratch) / "index.txt").touch()
            (Path(scratch) / "csr.pem").write_bytes(csr)
            out = Path(scratch) / "certificate.pem"
            signer = ["-selfsign"] if selfsign else ["-cert", str(self.certificate_file)]
            arguments = ["ca", "-batch", "-notext", "-config", str(config), "-name", "own"]
            arguments += ["-keyfile", str(self.folder / "ca.key"), *signer]
            arguments += ["-extensions", extensions, "-subj", subject]
            arguments += ["-startdate", _date(start), "-enddate", _date(end)]
            arguments += ["-outdir", scratch, "-in", f"{scratch}/csr.pem", "-out", str(out)]
            _openssl(*arguments)
            return out.read_text(encoding="ascii")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def check_csr(csr: str) -> str:
    """SHA-256 of the request's public key, in hexadecimal. Raises BadCsr."""
    if not csr.isascii():
        raise BadCsr("is not PEM")
    # openssl ends with 0 for a bad signature too, and only says so: on stderr up to 3.4, from 3.5 on stdout. So it is
    # asked for nothing else here, or a name in the request could say it.
    verified = _run("req", "-verify", "-noout", given=csr.encode("ascii"))
    if verified.returncode != 0 or b"verify OK" not in verified.stdout + verified.stderr:
        raise BadCsr("is not a certificate request with a good signature")
    done = _run("req", "-noout", "-text", "-pubkey", given=csr.encode("ascii"))
    printed = done.stdout.decode("utf-8", "replace")
    algorithm = re.search(r"Public Key Algorithm: (\S+)", printed)
    bits = re.search(r"Public-Key: \((\d+) bit", printed)
    key = re.search(r"-----BEGIN PUBLIC KEY-----.*-----END PUBLIC KEY-----", printed, re.DOTALL)
    if algorithm is None or bits is None or key is None:
        raise BadCsr("has a kind of key that is not accepted: use EC P-256 or P-384, or RSA")
    enough = {"id-ecPublicKey": 256, "rsaEncryption": 2048}.get(algorithm[1])
    if enough is None or int(bits[1]) < enough:
        raise BadCsr(f"has a key that is too weak: {algorithm[1]} of {bits[1]} bits")
    return hashlib.sha256(key[0].encode("ascii")).hexdigest()


def _days_left(certificate: Path) -> float:
    if not certificate.exists():
        return 0
    line = _openssl("x509", "-in", str(certificate), "-noout", "-enddate").decode("ascii")
    end = datetime.strptime(line.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    return (end - datetime.now(UTC)) / timedelta(days=1)


def _kind_of_name(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "DNS"
    return "IP"


def _date(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%SZ")


def _replace(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="ascii") as file:
        file.write(text)
    scratch.replace(path)


def _openssl(*arguments: str) -> bytes:
    done = _run(*arguments)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise CaError(f"openssl {arguments[0]}: {said}")
    return done.stdout


def _run(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["openssl", *arguments], input=given, capture_output=True, timeout=30, check=False
        )
    except FileNotFoundError:
        raise CaError("the openssl command is missing: install the package openssl") from None
    except subprocess.TimeoutExpired:
        raise CaError(f"openssl {arguments[0]} took too long") from None
