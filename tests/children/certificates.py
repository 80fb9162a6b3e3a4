"""A CA, and server and node certificates of every sort, by the openssl command."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path


def openssl(*arguments: str, text: str = "") -> bytes:
    return subprocess.run(["openssl", *arguments], input=text.encode(), capture_output=True,
                          check=True).stdout


class Authority:
    """A CA in a folder."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.key = folder / "ca.key"
        self.certificate = folder / "ca.pem"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.key))
        openssl("req", "-x509", "-new", "-key", str(self.key), "-out", str(self.certificate),
                "-days", "30", "-subj", f"/CN={name}")

    @property
    def pem(self) -> str:
        return self.certificate.read_text()

    def sign(self, request: str, subject: str, extensions: str = "", days: int = 10,
             until: str | None = None) -> str:
        """A certificate for a PEM request; `until` like 20200102000000Z makes an expired one."""
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("01\n")
        configuration = self.folder / "ca.conf"
        configuration.write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.folder}/index.txt\n"
            f"serial={self.folder}/serial\nnew_certs_dir={self.folder}\n"
            f"certificate={self.certificate}\nprivate_key={self.key}\ndefault_md=sha256\n"
            f"policy=any\nunique_subject=no\n[any]\ncommonName=optional\n"
            f"[extensions]\nbasicConstraints=CA:FALSE\n{extensions}\n")
        path = self.folder / "request.pem"
        path.write_text(request)
        result = self.folder / "signed.pem"
        validity = ["-startdate", "20200101000000Z", "-enddate", until] if until else \
            ["-days", str(days)]
        openssl("ca", "-config", str(configuration), "-batch", "-notext", "-in", str(path),
                "-out", str(result), "-subj", subject, "-extensions", "extensions", *validity)
        return result.read_text()

    def server(self, name: str, names: str = "DNS:localhost,IP:127.0.0.1",
               until: str | None = None) -> tuple[Path, Path]:
        """(certificate, key) files of a server."""
        key = self.folder / f"{name}.key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
        request = openssl("req", "-new", "-key", str(key), "-subj", f"/CN={name}").decode()
        certificate = self.folder / f"{name}.pem"
        certificate.write_text(
            self.sign(request, f"/CN={name}", f"subjectAltName={names}", until=until))
        return certificate, key


def pin_of(certificate: Path) -> str:
    """What slicenode.pin would hold for a server's certificate."""
    public = openssl("x509", "-in", str(certificate), "-pubkey", "-noout").decode()
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.encode(),
                         capture_output=True, check=True).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()
