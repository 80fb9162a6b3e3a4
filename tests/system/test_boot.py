"""The real image boots on every path, finds its way into the network and is careful with disks.

Several things are looked at in each boot, since a boot is what costs time here. One by BIOS and one by UEFI is of a
machine with two processors.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from artefacts import Artefacts
from disk_file import digest
from node import BOOT_SECONDS, Node, retry_ssh, run_ssh, ssh_words
from waiting import free_port

Nodes = Callable[[str], Node]


def make_disk(path: Path, mebibytes: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(mebibytes << 20)
    return path


def make_foreign_disk(path: Path, mebibytes: int) -> Path:
    """A disk with somebody's file system on it."""
    make_disk(path, mebibytes)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", "customer", path], check=True)
    return path


def address_of(node: Node) -> str:
    return node.wait_for(r"network: (\S+) by DHCP").group(1)


def test_bios_iso_with_conf_and_every_kind_of_disk(nodes: Nodes, artefacts: Artefacts) -> None:
    """CD boot; the conf written into the ISO; claimed, foreign and too small disks; then wipe of a named one."""
    node = nodes("iso")
    conf = "slicenode.name=rack-7\nslicenode.colour=blue\n"
    iso = artefacts.personalised(artefacts.iso, conf, node.folder)
    make_disk(node.folder / "blank.img", 6144)
    foreign = make_foreign_disk(node.folder / "foreign.img", 5000)
    named = make_foreign_disk(node.folder / "named.img", 5000)
    small = make_disk(node.folder / "small.img", 2048)
    before = {path: digest(path) for path in (foreign, named, small)}
    disks = []
    for name, serial, bus in (
        ("blank", "BLANK", "sata"),
        ("foreign", "FOREIGN", "sata"),
        ("named", "NAMED", "sata"),
        ("small", "SMALL", "virtio"),
    ):
        disks += ["--disk", f"{node.folder}/{name}.img,serial={serial},bus={bus},durable"]

    node.start("--iso", str(iso), "--cpus", "2", *disks)
    node.wait_for(r"problem: .*slicenode\.colour.*\[conf_invalid\]")
    node.wait_for(r"disk sd[abc]: 6144 MiB, claimed")
    found = r"^  disk +sd[abc] 5000 MiB foreign: ext4 labelled customer; left untouched \(.*, {}\)$"
    node.wait_for(found.format("FOREIGN"))
    node.wait_for(found.format("NAMED"))
    node.wait_for(r"disk vda: 2048 MiB, too_small")
    node.wait_for(r"storage ready: 6\d\d\d MiB")
    assert address_of(node).startswith("10.0.2.")
    node.wait_for(r"^  storage +6\d\d\d MiB in volume group slicenode$")
    status = node.status()
    assert re.search(r"^  name +rack-7$", status, re.M), status
    assert re.search(r"^  xen +4\.20", status, re.M), status
    assert re.search(r"sd[abc] 6144 MiB claimed: .*\(.*HARDDISK.*, BLANK\)", status), status
    node.press_power_button()
    node.wait_for(r"slicenode: ready to power off")
    node.wait_for_end()
    assert {path: digest(path) for path in before} == before, "a disk that was not claimed was written to"

    # by serial number: the kernel gives out the names anew at each boot
    append = "slicenode.disk=serial=BLANK,serial=NAMED:wipe,/dev/vda,serial=SMALL"
    node.start("--kernel", str(artefacts.out), "--append", append, *disks)
    node.wait_for(r"disk sd[abc]: wiping, as slicenode\.disk says")
    node.wait_for(r"disk sd[abc]: 5000 MiB, foreign")
    node.wait_for(r"disk sd[abc] joins the volume group")
    node.wait_for(r"storage ready: 1[01]\d\d\d MiB")
    assert "which this machine does not have" not in node.console, "a disk that two words name is there for both"
    node.power_off()
    assert digest(foreign) == before[foreign] and digest(small) == before[small]
    assert digest(named) != before[named]

    # one disk of the group is gone: nothing is touched until it is back
    kept = digest(named)
    node.start("--kernel", str(artefacts.out), *disks[2:])
    node.wait_for(r"problem: 1 disk\(s\) of the volume group are missing")
    node.power_off()
    assert digest(named) == kept


def test_bios_pxe_without_a_disk(nodes: Nodes, artefacts: Artefacts) -> None:
    node = nodes("pxe")
    node.start("--pxe-bios", str(artefacts.pxe))
    node.wait_for(r"problem: no disk found \[no_disk\]", 2 * BOOT_SECONDS)
    address_of(node)
    node.wait_for(r"^  disk +none found$")


def test_bios_ipxe(nodes: Nodes, artefacts: Artefacts) -> None:
    """The iPXE script takes a BIOS machine to the same place."""
    node = nodes("ipxe")
    node.start("--pxe-bios", str(artefacts.pxe), "--bootfile", "slicenode.ipxe")
    node.wait_for(r"slicenode: status ready", 2 * BOOT_SECONDS)


def test_uefi_disk_with_conf_on_the_medium(nodes: Nodes, artefacts: Artefacts) -> None:
    """The ISO as a USB stick on a UEFI machine, with a slicenode.conf that the operator copied onto it."""
    node = nodes("uefi-disk")
    conf = node.folder / "slicenode.conf"
    conf.write_text("# for this rack\nname = stick-3\n".replace(" = ", "="))
    stick = node.folder / "stick.img"
    stick.write_bytes(artefacts.iso.read_bytes())
    start = stick.read_bytes().find(b"mkfs.fat") - 3
    assert start > 0 and start % 512 == 0
    subprocess.run(["mcopy", "-i", f"{stick}@@{start}", conf, "::/slicenode.conf"], check=True)
    node.start("--uefi-disk", str(stick))
    node.wait_for(r"boot parameters from slicenode\.conf on sda", 2 * BOOT_SECONDS)
    node.wait_for(r"^  name +stick-3$")
    # the stick itself is no disk for slices
    node.wait_for(r"disk sda: \d+ MiB, medium")


def test_uefi_network(nodes: Nodes, artefacts: Artefacts) -> None:
    node = nodes("uefi-net")
    node.start("--uefi-net", str(artefacts.pxe))
    node.wait_for(r"slicenode: status ready", 3 * BOOT_SECONDS)
    address_of(node)


def test_no_dhcp_answer_then_a_server_appears(nodes: Nodes, artefacts: Artefacts) -> None:
    node = nodes("dhcp")
    node.start("--kernel", str(artefacts.out), "--nic", "hub")
    node.wait_for(r"problem: no DHCP server answered on eth0.*\[no_address\]")
    node.wait_for(r"^  nic +eth0 .* link up$")
    node.mark()
    node.monitor("netdev_add user,id=late")
    node.monitor("netdev_add hubport,id=late-port,hubid=0,netdev=late")
    node.wait_for(r"network: 10\.0\.2\.\d+/24 by DHCP from 10\.0\.2\.2 on eth0", 60)
    node.wait_for(r"^  address +10\.0\.2\.\d+/24")
    assert "no DHCP server" not in node.status()


def test_static_address_and_ssh_only_by_key(nodes: Nodes, artefacts: Artefacts) -> None:
    node = nodes("static")
    key = node.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key], check=True)
    conf = f"net=10.0.2.77/24,gateway=10.0.2.2,dns=10.0.2.3\nssh_key={key.with_suffix('.pub').read_text().strip()}\n"
    iso = artefacts.personalised(artefacts.iso, conf, node.folder)
    port = free_port()
    node.start("--iso", str(iso), "--hostfwd", f"{port}:10.0.2.77:22")
    node.wait_for(r"network: 10\.0\.2\.77/24 on eth0")
    node.wait_for(r"slicenode: ssh: listening")
    listening = ssh(port, key, "netstat -ltnu")
    ports = re.findall(r"^(?:tcp|udp)\s+\d+\s+\d+\s+\S+:(\d+)\s", listening, re.M)
    assert ports == ["22"], listening
    assert "default via 10.0.2.2" in ssh(port, key, "ip route")
    # Drivers that this machine does not need are not kept in memory.
    kept = "cd /lib/modules/*/kernel/drivers && ls && for drivers in net/ethernet net/usb usb scsi message nvme; do " \
           "[ ! -e $drivers ] || echo unneeded $drivers; done"
    drivers = ssh(port, key, kept).split()
    assert "net" in drivers and "unneeded" not in drivers
    result = run_ssh([*ssh_words(key, port, "root", "PubkeyAuthentication=no"), "true"])
    assert result.returncode != 0 and "Permission denied (publickey)" in result.stderr


def ssh(port: int, key: Path, command: str) -> str:
    """What the command prints on the node."""
    done = retry_ssh([*ssh_words(key, port, "root"), command], BOOT_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_vlan_on_a_bond(nodes: Nodes, artefacts: Artefacts) -> None:
    node = nodes("bond")
    net = "slicenode.net=192.0.2.9/24,gateway=192.0.2.1,bond=eth0+eth1,mode=active-backup,vlan=7"
    node.start("--kernel", str(artefacts.out), "--nic", "user", "--nic", "user", "--append", net)
    node.wait_for(r"network: 192\.0\.2\.9/24 on bond0\.7")
    # While the bond is being made, neither has a link.
    for nic in ("eth0", "eth1"):
        node.wait_for(rf"^  nic +{nic} .* link up$")
    node.mark()
    node.monitor("set_link nic0 off")
    node.wait_for(r"^  nic +eth0 .* no link$", 30)
    assert re.search(r"^  nic +eth1 .* link up$", node.status(), re.M)
    assert re.search(r"^  address +192\.0\.2\.9/24 on bond0\.7", node.status(), re.M)


def test_malformed_parameters_are_reported_and_harmless(nodes: Nodes, artefacts: Artefacts) -> None:
    """A disk parameter that cannot be read means no disk: claiming the wrong one cannot be undone."""
    node = nodes("malformed")
    words = "slicenode.net=10.0.2.300/24 slicenode.disk=/dev/vda:erase slicenode.controller=http://10.0.2.2"
    disk = make_disk(node.folder / "disk.img", 5000)
    before = digest(disk)
    node.start("--kernel", str(artefacts.out), "--append", words, "--disk", f"{disk},durable")
    for key in ("net", "disk", "controller"):
        node.wait_for(rf"problem: .*slicenode\.{key}.*\[conf_invalid\]")
    node.wait_for(r"disk vda: 5000 MiB, unused")
    address_of(node)
    node.power_off()
    assert digest(disk) == before
