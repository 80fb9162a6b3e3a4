"""The guest images as files: what a node and GRUB for Xen will look for is there, and nothing secret."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "out" / "guest"
PARTITION_START_BYTES = 1048576


@dataclass(frozen=True)
class Disk:
    """A raw disk with one ext4 partition, read without mounting it."""

    file: Path

    def bytes_at(self, offset: int, length: int) -> bytes:
        with self.file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)

    def debugfs(self, command: str) -> bytes:
        done = subprocess.run(["debugfs", "-R", command, f"{self.file}?offset={PARTITION_START_BYTES}"],
                              check=True, capture_output=True)
        return done.stdout

    def read(self, path: str) -> str:
        return self.debugfs(f"cat {path}").decode()

    def names(self, folder: str) -> set[str]:
        """Names in a folder; none if there is no such folder."""
        lines = self.debugfs(f"ls -p {folder}").decode().splitlines()
        return {line.split("/")[5] for line in lines if line.startswith("/")} - {".", ".."}

    def link(self, path: str) -> str:
        found = re.search(r'Fast link dest: "(.*)"', self.debugfs(f"stat {path}").decode())
        assert found, f"{path} is not a link"
        return found[1]


def built(name: str) -> Path:
    file = GUESTS / name
    assert file.is_file(), f"{name} is not built: run `make guest-small guest-debian`"
    return file


def unpack(name: str, folder: Path) -> Disk:
    disk = folder / f"{name}.raw"
    subprocess.run(["zstd", "-q", "-d", "--sparse", built(f"{name}.raw.zst"), "-o", disk], check=True)
    return Disk(disk)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return unpack("small", tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return unpack("debian", tmp_path_factory.mktemp("debian"))


@pytest.mark.parametrize("name", ["small", "debian"])
def test_published_hash_is_that_of_the_file(name: str) -> None:
    digest = hashlib.sha256(built(f"{name}.raw.zst").read_bytes()).hexdigest()
    assert built(f"{name}.raw.zst.sha256").read_text() == f"{digest}  {name}.raw.zst\n"


def test_small_image_is_small() -> None:
    assert built("small.raw.zst").stat().st_size <= 40_000_000


@pytest.mark.parametrize("name", ["small", "debian"])
def test_disk_has_one_bootable_linux_partition_of_ext4(name: str, request: pytest.FixtureRequest) -> None:
    disk: Disk = request.getfixturevalue(name)
    table = disk.bytes_at(0, 512)
    assert table[510:] == b"\x55\xaa"
    status, kind, start, length = struct.unpack_from("<B3xB3xII", table, 446)
    assert (status, kind, start) == (0x80, 0x83, PARTITION_START_BYTES // 512)
    assert (start + length) * 512 == disk.file.stat().st_size
    assert table[462:510] == bytes(48), "more than one partition"
    superblock = disk.bytes_at(PARTITION_START_BYTES + 1024, 1024)
    assert superblock[56:58] == b"\x53\xef"
    assert superblock[120:136].rstrip(b"\0").decode() == f"{name}-root"


@pytest.mark.parametrize("name", ["small", "debian"])
def test_boot_menu_is_sound(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    disk: Disk = request.getfixturevalue(name)
    menu = tmp_path / "grub.cfg"
    menu.write_text(disk.read("/boot/grub/grub.cfg"))
    subprocess.run(["grub-script-check", menu], check=True)
    text = menu.read_text()
    named = re.findall(r"^\s*(?:linux|initrd) (/\S+)", text, re.MULTILINE)
    # The kernel depends on the platform: each that the menu may choose must be there.
    suffixes = re.findall(r"^\s*linux \$kernel(\S*)", text, re.MULTILINE)
    choices = re.findall(r"\bkernel=(/[^\s;]+)", text)
    assert len(choices) == 2 and suffixes and named
    named += [choice + suffix for choice in choices for suffix in suffixes if not suffix]
    for path in named:
        folder, _, base = path.rpartition("/")
        assert base in disk.names(folder or "/"), f"the boot menu names {path}, which is not there"


def test_small_kernel_and_ram_disk_are_those_on_its_disk(small: Disk) -> None:
    for name, file in (("vmlinuz", "small.vmlinuz"), ("initrd", "small.initrd")):
        assert small.debugfs(f"cat /boot/{name}") == built(file).read_bytes()
    assert built("small.vmlinuz").read_bytes()[0x202:0x206] == b"HdrS"


def test_small_ram_disk_loads_modules_that_it_carries() -> None:
    unpacked = subprocess.run(["zstd", "-q", "-d", "-c", built("small.initrd")], check=True, capture_output=True)
    listed = subprocess.run(["cpio", "--list", "--quiet"], input=unpacked.stdout, check=True, capture_output=True)
    names = set(listed.stdout.decode().split())
    assert {"init", "bin/busybox", "sbin/blkid"} <= names
    order = subprocess.run(["cpio", "--quiet", "--extract", "--to-stdout", "modules/order"], input=unpacked.stdout,
                           check=True, capture_output=True).stdout.decode().split()
    assert order.index("cdrom.ko") < order.index("isofs.ko")
    assert {"xen-blkfront.ko", "xen-netfront.ko", "vfat.ko"} <= set(order)
    assert {f"modules/{name}" for name in order} <= names


def test_small_guest_answers_the_kernels_requests_to_stop(small: Disk) -> None:
    for command in ("poweroff", "reboot", "init"):
        assert small.link(f"/sbin/{command}") == "../bin/busybox"


def test_small_guest_has_no_keys_of_its_own(small: Disk) -> None:
    assert small.names("/root/.ssh") == set()
    assert small.names("/etc/dropbear") == set()
    assert "shadow" not in small.names("/etc")


def test_same_input_gives_the_same_small_image(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts" / "mkguest", "small", tmp_path], check=True)
    for file in ("small.raw.zst", "small.initrd"):
        assert (tmp_path / file).read_bytes() == built(file).read_bytes(), f"{file} differs"


def test_noboot_has_nothing_to_boot(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts" / "mkguest", "noboot", tmp_path], check=True)
    subprocess.run(["zstd", "-q", "-d", "--sparse", tmp_path / "noboot.raw.zst"], check=True)
    disk = Disk(tmp_path / "noboot.raw")
    assert "bin" in disk.names("/")
    assert "boot" not in disk.names("/")


def test_unknown_guest_is_refused() -> None:
    done = subprocess.run([ROOT / "scripts" / "mkguest", "windows"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage: mkguest" in done.stderr


@pytest.mark.parametrize(("text", "lines"), [
    ('{"a": {"b": "c"}, "d": ["e", "f"]}', ["a/b\tc", "d/0\te", "d/1\tf"]),
    ('{\n "a": true,\n "b": 12,\n "c": null\n}', ["a\ttrue", "b\t12", "c\tnull"]),
    ('{"a": [], "b": {}, "c": [{"to": "::/0"}]}', ["c/0/to\t::/0"]),
    (r'{"a": "say \"hi\" \\ \/", "b": "x, y: {z}"}', ['a\tsay "hi" \\ /', "b\tx, y: {z}"]),
    ('{"a": ["b", "c"', ["a/0\tb", "a/1\tc"]),
])
def test_small_guest_reads_the_seeds_json(text: str, lines: list[str]) -> None:
    script = ROOT / "scripts/guest/small/root/usr/libexec/small-guest/flatten.awk"
    done = subprocess.run([ROOT / "out/sysroot/bin/busybox", "awk", "-f", script], input=text,
                          check=True, capture_output=True, text=True, timeout=10)
    assert done.stdout.splitlines() == lines


def test_debian_links_name_a_kernel_that_runs_as_a_guest(debian: Disk) -> None:
    kernel = debian.link("/vmlinuz")
    assert re.fullmatch(r"boot/vmlinuz-.*-cloud-amd64", kernel)
    release = kernel.removeprefix("boot/vmlinuz-")
    assert debian.link("/initrd.img") == f"boot/initrd.img-{release}"
    settings = debian.read(f"/boot/config-{release}")
    for wanted in ("CONFIG_XEN_PV=y", "CONFIG_XEN_PVH=y", "CONFIG_EXT4_FS=y"):
        assert wanted in settings


def test_debian_ram_disk_finds_a_paravirtual_disk(debian: Disk) -> None:
    archive = debian.debugfs(f"cat /{debian.link('/initrd.img')}")
    start = archive.index(b"\x28\xb5\x2f\xfd")
    unpacked = subprocess.run(["zstd", "-q", "-d", "-c"], input=archive[start:], check=True, capture_output=True)
    names = ""
    # Modules are compressed by themselves and lie in a first archive that is not.
    for part in (archive[:start], unpacked.stdout):
        listed = subprocess.run(["cpio", "--list", "--quiet"], input=part, check=True, capture_output=True)
        names += listed.stdout.decode()
    assert "/xen-blkfront.ko" in names
    assert "usr/sbin/blkid" in names


def test_debian_menu_and_table_name_its_own_file_system(debian: Disk) -> None:
    superblock = debian.bytes_at(PARTITION_START_BYTES + 1024, 1024)
    text = superblock[104:120].hex()
    uuid = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    assert f"root=UUID={uuid} " in debian.read("/boot/grub/grub.cfg")
    assert debian.read("/etc/fstab").startswith(f"UUID={uuid} / ext4 ")


def test_debian_holds_nothing_that_slices_must_not_share(debian: Disk) -> None:
    assert debian.read("/etc/machine-id") == ""
    assert not [name for name in debian.names("/etc/ssh") if name.startswith("ssh_host_")]
    assert "authorized_keys" not in debian.names("/root/.ssh")
    accounts = io.StringIO(debian.read("/etc/shadow"))
    assert [line for line in accounts if line.split(":")[1] not in ("*", "!", "!*")] == []
    assert debian.read("/etc/hostname") == "debian\n"


def test_debian_asks_only_the_seed(debian: Disk) -> None:
    assert "datasource_list: [ NoCloud, None ]" in debian.read("/etc/cloud/cloud.cfg.d/90_slicenode.cfg")
    assert "cloud-init" in debian.names("/usr/bin")
    assert "sshd" in debian.names("/usr/sbin")
