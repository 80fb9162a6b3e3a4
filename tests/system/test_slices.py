"""Slices of the small guest on the real node: every way to boot, every way to end, and what survives.

One node serves all tests of this file in their order, since its boot is what costs time; the first test's slice
`web` lives on in those that follow.
"""

from __future__ import annotations

import pytest
from rack import SMALL_KERNEL, Rack

READY = "small-guest: ready"
KERNEL = (*SMALL_KERNEL[:-1], SMALL_KERNEL[-1] + " proof=operator")


def ready_lines(rack: Rack, name: str) -> list[str]:
    return [line.strip() for line in rack.console(name).splitlines() if line.startswith(READY)]


def wait_boots(rack: Rack, name: str, boots: int) -> None:
    rack.wait_console(name, f" boots={boots} ", 150)


def test_slice_boots_a_kernel_of_the_operator_and_lets_its_owner_in(rack: Rack) -> None:
    rack.provision("web", "small.raw.zst", 0, "--type", "pvh", *KERNEL)
    rack.wait_console("web", READY)
    made = rack.slice("web")
    assert (made["state"], made["type"], made["error"]) == ("running", "pvh", None)
    assert "Booting the small guest" not in rack.console("web")
    assert ready_lines(rack, "web") == [
        f"small-guest: ready hostname=web address=10.0.2.100 boots=1 instance={made['id']}"]
    assert rack.ssh(0, "hostname") == "web"
    assert "proof=operator" in rack.ssh(0, "cat /proc/cmdline")
    assert rack.ssh(0, "cat /root/.ssh/authorized_keys") == rack.key.with_suffix(".pub").read_text().strip()
    assert "10.0.2.2" in rack.ssh(0, "ip route show default")


def test_snapshot_brings_the_old_content_back(rack: Rack) -> None:
    rack.ssh(0, "echo first >/root/note; sync")
    rack.do("snapshot", "create", "web", "before")
    rack.ssh(0, "echo second >/root/note; sync")
    refused = rack.try_controller("snapshot", "revert", "web", "before", "--wait")
    assert refused.returncode == 1
    assert "slice_running" in refused.stderr
    assert rack.ssh(0, "cat /root/note") == "second"
    rack.do("snapshot", "revert", "web", "before", "--restart")
    assert rack.ssh(0, "cat /root/note") == "first"
    assert [one["name"] for one in rack.slice("web")["snapshots"]] == ["before"]
    rack.do("snapshot", "delete", "web", "before")
    assert rack.slice("web")["snapshots"] == []
    assert rack.ssh(0, "cat /root/note") == "first"


def test_slice_that_reboots_itself_comes_back(rack: Rack) -> None:
    boots = int(rack.ssh(0, "cat /var/lib/small-guest/boots"))
    rack.try_ssh(0, "reboot")
    wait_boots(rack, "web", boots + 1)
    assert rack.ssh(0, "cat /root/note") == "first"
    assert rack.slice("web")["state"] == "running"


def test_clean_stop_and_start(rack: Rack) -> None:
    boots = int(rack.ssh(0, "cat /var/lib/small-guest/boots"))
    rack.do("stop", "web")
    assert rack.slice("web")["state"] == "stopped"
    assert "small-guest: stopping" in rack.console("web")
    assert rack.try_ssh(0, "true").returncode == 255
    rack.do("start", "web")
    wait_boots(rack, "web", boots + 1)
    assert rack.ssh(0, "cat /root/note") == "first"


def test_slice_that_powers_off_is_stopped(rack: Rack) -> None:
    rack.try_ssh(0, "poweroff")
    rack.wait_state("web", "stopped")
    assert rack.slice("web")["desired"] == "stopped"
    rack.do("start", "web")
    assert rack.ssh(0, "hostname") == "web"


def test_slice_that_crashes_is_reported_and_restarted(rack: Rack) -> None:
    boots = int(rack.ssh(0, "cat /var/lib/small-guest/boots"))
    rack.try_ssh(0, "echo c >/proc/sysrq-trigger")
    wait_boots(rack, "web", boots + 1)
    reasons = [event["result"]["reason"] or "" for event in rack.events("web", "slice.state")]
    assert any("crash" in reason for reason in reasons), reasons
    assert rack.slice("web")["state"] == "running"


def test_pv_slice_boots_a_kernel_of_the_operator_beside_another(rack: Rack) -> None:
    rack.provision("old", "small.raw.zst", 1, "--type", "pv", *KERNEL)
    rack.wait_console("old", READY)
    assert rack.slice("old")["type"] == "pv"
    assert "Booting the small guest" not in rack.console("old")
    assert "proof=operator" in rack.ssh(1, "cat /proc/cmdline")
    assert rack.ssh(1, "hostname") == "old"
    assert rack.ssh(0, "hostname") == "web"
    # Neither host keys nor what was written are shared by slices of one image.
    keys = {rack.ssh(number, "cat /etc/dropbear/dropbear_ed25519_host_key.pub") for number in (0, 1)}
    assert len(keys) == 2
    assert rack.try_ssh(1, "test -e /root/note").returncode == 1
    rack.do("terminate", "old")


# Two addresses: QEMU's network remembers the card that had one before.
@pytest.mark.parametrize(("kind", "number"), [("pvh", 2), ("pv", 5)])
def test_slice_boots_by_its_own_grub(rack: Rack, kind: str, number: int) -> None:
    name = f"grub-{kind}"
    rack.provision(name, "small.raw.zst", number, "--type", kind, boot_loader=True)
    rack.wait_console(name, READY)
    assert rack.slice(name)["type"] == kind
    assert "Booting the small guest" in rack.console(name)
    assert rack.ssh(number, "hostname") == name
    rack.do("terminate", name)


def test_image_without_a_boot_loader_fails_and_shows_its_console(rack: Rack) -> None:
    asked = rack.try_controller(
        "provision", "--name", "noboot", "--image", "noboot.raw.zst", "--memory-mib", "128", "--disk-gib", "1",
        "--wait", seconds=300)
    # The request is done when the domain runs; what its boot loader finds shows a while later.
    assert asked.returncode == 0, asked.stdout
    rack.wait_state("noboot", "failed")
    failed = rack.slice("noboot")
    assert failed["error"]["code"] == "image_not_bootable"
    assert "grub" in failed["error"]["console"].lower()
    assert rack.ssh(0, "hostname") == "web", "the node's other slice suffered"
    rack.do("terminate", "noboot")


def test_slice_comes_back_with_its_data_after_a_power_cut_of_the_node(rack: Rack) -> None:
    rack.ssh(0, "echo kept >/root/note; sync")
    rack.provision("resting", "small.raw.zst", 3, "--stopped")
    boots = int(rack.ssh(0, "cat /var/lib/small-guest/boots"))
    rack.node.power_off()
    rack.boot()
    wait_boots(rack, "web", boots + 1)
    assert rack.ssh(0, "cat /root/note") == "kept"
    assert rack.slice("resting")["state"] == "stopped"
    rack.do("terminate", "resting")


def test_node_reboots_when_it_is_asked_to(rack: Rack) -> None:
    before = rack.json("nodes")[0]["boot_id"]
    boots = int(rack.ssh(0, "cat /var/lib/small-guest/boots"))
    rack.ssh(0, "echo unsynced >/root/note")
    said = rack.controller("reboot-node", "--timeout", "10m", seconds=600)
    after = rack.json("nodes")[0]["boot_id"]
    assert after != before and after in said
    wait_boots(rack, "web", boots + 1)
    assert rack.ssh(0, "cat /root/note") == "unsynced", "the slice was shut down, not cut off"


def test_terminate_gives_every_block_back(rack: Rack) -> None:
    before = rack.disk_used_mib()
    rack.provision("short", "small.raw.zst", 4)
    rack.ssh(4, "dd if=/dev/urandom of=/root/filled bs=1M count=40 && sync")
    rack.do("snapshot", "create", "short", "one")
    rack.ssh(4, "dd if=/dev/urandom of=/root/filled bs=1M count=40 && sync")
    assert rack.disk_used_mib() >= before + 60
    rack.do("terminate", "short")
    assert rack.disk_used_mib() <= before + 1
    gone = rack.slice("short")
    assert gone["state"] == "terminated" and not gone["present"]


def test_traffic_kept_to_the_protocol(rack: Rack) -> None:
    assert rack.controller("protocol-violations") == ""
