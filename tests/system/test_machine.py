"""A machine as hosters have them: parameters that are Xen's, controllers and cards without a driver, a disk that says
it is sick, and a crash of dom0's kernel, whose last words the next boot tells. One UEFI machine, two boots."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from artefacts import Artefacts
from node import BOOT_SECONDS, Node, retry_ssh, ssh_words
from waiting import free_port, wait_until

CONF = "smt=off\ndom0_max_vcpus=2\nserial=com1,57600\n"


def ssh(port: int, key: Path, command: str) -> str:
    done = retry_ssh([*ssh_words(key, port, "root"), command], BOOT_SECONDS)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_a_machine_of_a_hoster(nodes: Callable[[str], Node], artefacts: Artefacts) -> None:
    node, port = nodes("machine"), free_port()
    key = node.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key], check=True)
    conf = f"{CONF}ssh_key={key.with_suffix('.pub').read_text().strip()}\n"
    iso = artefacts.personalised(artefacts.iso, conf, node.folder)
    node.start("--uefi-disk", str(iso), "--disk", f"{node.folder}/disk.img,size=6G,bus=nvme", "--hostfwd", f"{port}:22",
               "--", "-device", "lsi53c895a", "-device", "ne2k_pci")
    node.wait_for(r"no driver for the storage controller 1000:0012 at 0000:\S+$")
    node.wait_for(r"no driver for the network card 10ec:8029 at 0000:\S+$")
    node.wait_for(r"storage ready")
    node.wait_for(r"slicenode: ssh: listening")
    # Others serve: it stands on the screen and is no problem.
    assert "[no_disk]" not in node.console and "[network_error]" not in node.console
    pin = re.search(r"^source xen (\S+)-\S+ ", (Path(__file__).parents[2] / "hv" / "xen" / "pins").read_text(), re.M)
    assert pin and re.search(rf"xen +{re.escape(pin[1])}$", node.status(), re.M)

    # What the conf says has reached Xen, which is asked here whether it was started with something else.
    assert "Xen was started" not in node.console
    asked = "echo smt=on >/run/c; slicenode-conf --output /run/o --cmdline /dev/null /run/c; cat /run/o/problems"
    assert "smt=on is set in /run/c line 1, but Xen was started with smt=off: write" in ssh(port, key, asked)
    assert "xen_wdt" in ssh(port, key, "cat /state/log/health/current")

    nvme = next(name for name in (f"/machine/peripheral-anon/device[{number}]" for number in range(9))
                if "nvme" in node.monitor(f"qom-get {name} type"))
    node.monitor(f"qom-set {nvme} smart_critical_warning 8")
    ssh(port, key, "sv restart health")  # it would look again within five minutes
    node.wait_for(r"storage_error: disk nvme0n1 has become read-only: replace it")

    crash(node, port, key)


def crash(node: Node, port: int, key: Path) -> None:
    """The next boot has the last words from the firmware, and it alone."""
    node.mark()
    ssh(port, key, "(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")
    wait_until(lambda: "Rebooting in 10 seconds" in node.console, "dom0's kernel has crashed", BOOT_SECONDS)
    node.mark()
    told = node.wait_for(r"the last boot ended in a crash: Kernel panic - not syncing: sysrq triggered crash; its last "
                         r"words are in (/state/log/last-words/\S+-panic) \[internal\]")
    words = ssh(port, key, f"cat {told[1]}; ls /sys/fs/pstore | wc -l")
    assert "sysrq: Trigger a crash" in words and "Call Trace:" in words
    assert words.splitlines()[-1] == "0", "the firmware's copy is gone"


if os.environ.get("HARDWARE") == "all":
    def test_hardware_keeps_last_words_without_uefi(nodes: Callable[[str], Node], artefacts: Artefacts) -> None:
        """A BIOS keeps them in ACPI's error records (ERST), where it has such, as servers do."""
        node, port = nodes("bios"), free_port()
        key = node.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key], check=True)
        node.start("--kernel", str(artefacts.out), "--append",
                   f'slicenode.ssh_key="{key.with_suffix(".pub").read_text().strip()}"',
                   "--disk", f"{node.folder}/disk.img,size=6G,bus=nvme", "--hostfwd", f"{port}:22", "--",
                   "-object", f"memory-backend-file,id=records,mem-path={node.folder}/records.img,size=64K,share=on",
                   "-device", "acpi-erst,memdev=records")
        node.wait_for(r"storage ready")
        node.wait_for(r"slicenode: ssh: listening")
        assert ssh(port, key, "cat /sys/module/pstore/parameters/backend") == "erst\n"
        crash(node, port, key)
