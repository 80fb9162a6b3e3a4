"""Every command, against a node that does what it is told."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import PROGRAM, Controller, FakeNode, environment
from sim_node import SimNode

FAILED, TIMED_OUT, USAGE = 1, 2, 64


@pytest.fixture(scope="module")
def sim(
    controller: Controller, images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimNode]:
    (images / "disk.raw.zst").write_bytes(b"not really")
    (images / "vmlinuz").write_bytes(b"kernel")
    (images / "initrd").write_bytes(b"ramdisk")
    running = SimNode(controller, tmp_path_factory.mktemp("sim"), "rack1-7")
    yield running
    running.stop()


def provision(controller: Controller, name: str, *more: str) -> dict[str, Any]:
    words = ["provision", "--name", name, "--image", "disk.raw.zst", "--wait", *more]
    result: dict[str, Any] = controller.json(*words)
    return result


def test_life_of_a_slice(controller: Controller, sim: SimNode, tmp_path: Path) -> None:
    key = tmp_path / "key.pub"
    key.write_text("# mine\nssh-ed25519 AAAA me\n")
    user_data = tmp_path / "user-data"
    user_data.write_text("#cloud-config\n")
    said = provision(
        controller, "web1", "--memory-mib", "128", "--type", "pv", "--address", "10.0.2.100/24",
        "--gateway", "10.0.2.2", "--dns", "10.0.2.3", "--vlan", "7", "--hostname", "web1.example",
        "--ssh-key", str(key), "--user-data", str(user_data), "--on-crash", "stop",
    )  # fmt: skip
    assert said["state"] == "done" and said["seconds"] >= 0
    args = sim.provisioned
    assert args["image"]["compression"] == "zstd" and args["image"]["size_bytes"] == 10
    assert args["image"]["url"] == f"https://127.0.0.1:{controller.port}/images/disk.raw.zst"
    assert args["network"] == [{"vlan": 7, "gateway": "10.0.2.2", "dns": ["10.0.2.3"],
                                "addresses": ["10.0.2.100/24"]}]  # fmt: skip
    assert args["cloud_init"] == {"hostname": "web1.example", "ssh_keys": ["ssh-ed25519 AAAA me"],
                                  "user_data": "#cloud-config\n"}  # fmt: skip
    assert (args["type"], args["on_crash"], args["memory_mib"]) == ("pv", "stop", 128)

    (row,) = [one for one in controller.json("slices") if one["name"] == "web1"]
    assert (row["state"], row["id"]) == ("running", said["slice"])
    assert "web1" in controller.ok("slices")
    assert "running" in controller.ok("slices", "show", "web1")

    controller.ok("stop", "web1", "--force", "--wait")
    assert controller.json("slices", "show", "web1")["state"] == "stopped"
    controller.ok("start", said["slice"][:8])
    controller.ok("wait", "--slice", "web1", "--timeout", "5s")
    assert "request " in controller.ok("reboot", "web1", "--timeout-seconds", "5", "--wait")
    controller.ok("pause", "web1", "--wait")
    assert controller.json("slices", "show", "web1")["state"] == "paused"
    controller.ok("unpause", "web1", "--wait")
    assert controller.json("slices", "show", "web1")["state"] == "running"

    made = controller.json("snapshot", "create", "web1", "before", "--wait")
    listed = controller.json("snapshot", "list", "web1")
    assert [(one["id"], one["name"]) for one in listed] == [(made["snapshot"], "before")]
    assert "before" in controller.ok("snapshot", "list", "web1")
    status, _, err = controller.run("snapshot", "revert", "web1", "before", "--wait")
    assert status == FAILED and "slice_running" in err and err.count("\n") == 1
    controller.ok("snapshot", "revert", "web1", "before", "--restart", "--wait")
    controller.ok("provision", "--name", "copy", "--snapshot", "web1/before", "--wait")
    copy = controller.json("slices", "show", "copy")
    assert (copy["image"], copy["snapshot"]) == (None, made["snapshot"])
    controller.ok("terminate", "copy", "--wait")
    nowhere = str(uuid.uuid4())
    status, _, err = controller.run("provision", "--name", "x", "--snapshot", nowhere, "--wait")
    assert status == FAILED and "snapshot_not_found" in err
    controller.ok("snapshot", "delete", "web1", made["snapshot"][:6], "--wait")
    assert controller.json("snapshot", "list", "web1") == []

    assert controller.ok("console", "web1") == "Booting...\nok\nlogin: "
    assert "\x1b[32m" in controller.ok("console", "web1", "--raw")
    assert controller.ok("console", "web1", "--until", "login:").endswith("login: \n")
    status, out, _ = controller.run("console", "web1", "--until", "never", "--timeout", "1s")
    assert status == TIMED_OUT and out.startswith("Booting...\nok\nlogin: x")
    assert out.count("Booting") == 1 and set(out.partition("login: ")[2]) == {"x"}
    told = controller.ok("--json", "console", "web1", "--until", "login:").splitlines()
    assert json.loads(told[0])["console"].startswith("Booting...")

    controller.ok("terminate", "web1", "--wait")
    assert controller.json("slices") == []
    assert controller.json("slices", "--all")[0]["state"] == "terminated"
    controller.ok("wait", "--slice", "web1", "--state", "terminated", "--timeout", "5s")
    status, _, err = controller.run("start", "web1", "--wait")
    assert status == FAILED and "slice_not_found" in err


def test_kernel_and_ramdisk_are_fetched_before_the_slice(
    controller: Controller, sim: SimNode
) -> None:
    provision(
        controller, "direct", "--kernel", "vmlinuz", "--ramdisk", "initrd", "--cmdline", "quiet",
        "--plain-http", "--no-network", "--stopped",
    )  # fmt: skip
    boot = sim.provisioned["boot"]
    assert (boot["kind"], boot["cmdline"]) == ("kernel", "quiet")
    assert sim.images[boot["kernel"]] == "kernel" and sim.images[boot["ramdisk"]] == "ramdisk"
    assert sim.provisioned["image"]["url"].startswith(f"http://127.0.0.1:{controller.http_port}/")
    assert sim.provisioned["network"] == [] and sim.provisioned["desired"] == "stopped"
    fetched = [one for one in controller.json("requests") if one["op"] == "image.fetch"]
    provision(controller, "direct2", "--kernel", "vmlinuz", "--ramdisk", boot["ramdisk"])
    again = [one for one in controller.json("requests") if one["op"] == "image.fetch"]
    assert len(again) == len(fetched)
    for name in ("direct", "direct2"):
        controller.ok("terminate", name, "--wait")


def test_images(controller: Controller, sim: SimNode) -> None:
    url = "https://images.example/debian.raw.xz"
    made = controller.json("image", "fetch", url, "--sha256", "0" * 64, "--wait")
    asked = controller.json("requests", "show", made["request"])
    assert asked["args"] == {"id": made["image"], "url": url, "compression": "xz",
                             "sha256": "0" * 64}  # fmt: skip
    other = controller.json("image", "fetch", "https://images.example/debian", "--sha256", "0" * 64,
                            "--format", "qcow2", "--wait")  # fmt: skip
    asked = controller.json("requests", "show", other["request"])
    assert asked["args"]["format"] == "qcow2"
    (row,) = [one for one in controller.json("image", "list") if one["id"] == made["image"]]
    assert (row["state"], row["url"]) == ("ready", url)
    assert url in controller.ok("image", "list")
    provision_by_id = ["provision", "--name", "byid", "--image", made["image"], "--wait"]
    controller.ok(*provision_by_id)
    controller.ok("terminate", "byid", "--wait")
    controller.ok("image", "delete", "debian.raw.xz", "--wait")
    assert made["image"] not in controller.ok("image", "list")
    assert made["image"] in controller.ok("image", "list", "--all")
    status, _, err = controller.run("image", "delete", made["image"], "--wait")
    assert status == FAILED and "image_not_found" in err


def test_provision_that_is_refused(controller: Controller, sim: SimNode) -> None:
    words = ["provision", "--name", "huge", "--image", "disk.raw.zst", "--memory-mib", "99999"]
    status, _, err = controller.run(*words, "--wait")
    assert status == FAILED and "insufficient_memory" in err
    assert "huge" not in controller.ok("slices")
    made = controller.json(*words)
    status, _, err = controller.run("wait", made["request"], "--timeout", "5s")
    assert status == FAILED and err.startswith("controller: slice.provision failed: insufficient")
    status, _, err = controller.run("wait", "--slice", made["slice"], "--timeout", "5s")
    assert status == FAILED and "refused" in err


def test_slice_that_does_not_boot_shows_its_console(controller: Controller, sim: SimNode) -> None:
    words = ["provision", "--name", "unbootable", "--image", "disk.raw.zst", "--wait"]
    status, _, err = controller.run(*words)
    assert status == FAILED and "  | grub rescue>\n" in err and "\x1b" not in err
    assert controller.json("slices", "show", "unbootable")["state"] == "failed"
    assert controller.run("wait", "--slice", "unbootable")[0] == FAILED
    controller.ok("terminate", "unbootable", "--wait")


@pytest.mark.parametrize(
    "words",
    [
        ["provision", "--name", "two words", "--image", "disk.raw.zst"],
        ["provision", "--name", "x", "--image", "disk.raw.zst", "--memory-mib", "0"],
        ["provision", "--name", "x", "--image", "disk.raw.zst", "--disk-gib", "-1"],
        ["provision", "--name", "x", "--image", "disk.raw.zst", "--type", "hvm"],
        ["provision", "--name", "x", "--image", "disk.raw.zst", "--memory-mib", "much"],
        ["provision", "--name", "x"],
        ["request", "slice.explode"],
        ["request", "node.report", "--args", "{"],
        ["request", "node.report", "--args", '{"x": 1}'],
        ["token", "create", "--ttl", "soon"],
        ["wait"],
        ["wait", "--slice", "a", "--registered"],
        ["serve", "--listen", "nowhere"],
        [],
        ["dance"],
    ],
)
def test_wrong_command(controller: Controller, sim: SimNode, words: list[str]) -> None:
    before = len(controller.json("requests"))
    status, _, err = controller.run(*words)
    assert status == USAGE and "controller" in err and "Traceback" not in err
    assert len(controller.json("requests")) == before


def test_names_that_fit_nothing_or_too_much(controller: Controller, sim: SimNode) -> None:
    for name in ("twin", "twin"):
        provision(controller, name)
    status, _, err = controller.run("start", "twin")
    assert status == FAILED and "2 of the slices fit twin" in err
    for row in controller.json("slices"):
        controller.ok("terminate", row["id"], "--wait")
    for words in (["start", "nobody"], ["nodes", "show", "nobody"], ["wait", "nobody"],
                  ["token", "revoke", "nobody"], ["events", "--node", "nobody"],
                  ["provision", "--name", "x", "--image", "nobody"]):  # fmt: skip
        status, _, err = controller.run(*words)
        assert status == FAILED and err.startswith("controller: no ") and err.count("\n") == 1


def test_any_request_also_one_that_breaks_the_protocol(
    controller: Controller, sim: SimNode
) -> None:
    slice_id, request_id = str(uuid.uuid4()), str(uuid.uuid4())
    args = {"name": "raw", "image": {"id": slice_id, "url": "http://x/"}, "vcpus": 1,
            "memory_mib": 0, "disk_gib": 1}  # fmt: skip
    words = ["request", "slice.provision", "--slice", slice_id, "--id", request_id]
    words += ["--args", json.dumps(args), "--deadline", "5m", "--unchecked", "--wait"]
    status, _, err = controller.run(*words)
    assert status == FAILED and "invalid_argument" in err
    said = controller.json("requests", "show", request_id)
    assert said["args"] == args and said["deadline"] > said["created"]
    status, _, err = controller.run(*words)
    assert status == FAILED and "already" in err
    assert "storage" in controller.ok("request", "node.report", "--wait")
    words = ["request", "slice.explode", "--slice", str(uuid.uuid4()), "--unchecked", "--wait"]
    status, _, err = controller.run(*words, "--node", "rack1-7")
    assert status == FAILED and "slice.explode failed" in err


def test_resize(controller: Controller, sim: SimNode) -> None:
    provision(controller, "grows")
    controller.ok("resize", "grows", "--vcpus", "3", "--disk-gib", "9", "--wait")
    shown = controller.json("slices", "show", "grows")
    assert (shown["vcpus"], shown["disk_gib"]) == (3, 9)


def test_export_to_a_url(controller: Controller, sim: SimNode) -> None:
    provision(controller, "source")
    controller.ok("snapshot", "create", "source", "one", "--wait")
    controller.ok("snapshot", "export", "source", "one", "--url", "https://elsewhere/disk", "--wait")


def test_volumes(controller: Controller, sim: SimNode) -> None:
    provision(controller, "holder")
    controller.ok("volume", "create", "data", "5", "--wait")
    controller.ok("volume", "attach", "data", "holder", "--wait")
    listed = controller.json("volume", "list")
    assert [(one["name"], one["size_gib"], one["device"]) for one in listed] == [("data", 5, "xvdc")]
    controller.ok("volume", "resize", "data", "6", "--wait")
    controller.ok("volume", "detach", "data", "--wait")
    assert "available" in controller.ok("volume", "list")
    controller.ok("volume", "delete", "data", "--wait")
    assert controller.json("volume", "list") == []
    assert controller.run("volume", "delete", "data")[0] == FAILED


def test_node_is_drained_and_rebooted(controller: Controller, sim: SimNode) -> None:
    assert re.match(r"draining: \d+ slices, \d+ of them running", controller.ok("drain", "rack1-7"))
    assert controller.ok("drain", "--off").startswith("ready")
    assert controller.ok("reboot-node").startswith("boot ")


def test_request_sent_again_reaches_the_node_again(controller: Controller, sim: SimNode) -> None:
    said = controller.json("request", "node.report", "--wait")
    controller.ok("requests", "resend", said["request"])
    end = time.monotonic() + 5
    while said["request"] not in sim.repeated and time.monotonic() < end:
        time.sleep(0.02)
    assert sim.repeated == [said["request"]]


def test_request_is_cancelled(controller: Controller, sim: SimNode) -> None:
    said = controller.json("request", "node.report", "--wait")
    cancelled = controller.json("requests", "cancel", said["request"][:8], "--wait")
    row = controller.json("requests", "show", cancelled["request"])
    assert row["op"] == "request.cancel" and row["args"] == {"request": said["request"]}


def test_nodes(controller: Controller, sim: SimNode) -> None:
    (row,) = controller.json("nodes")
    assert (row["id"], row["name"], row["state"]) == (sim.node.id, "rack1-7", "online")
    assert "rack1-7" in controller.ok("nodes") and "online" in controller.ok("nodes", "list")
    shown = controller.ok("nodes", "show", "rack1-7")
    assert "Xen 4.20.0" in shown and "foreign" in shown
    assert controller.json("report", "rack1-7")["inventory"]["memory_mib"] > 0
    said = controller.json("wait", "--registered", "--node", "rack1-7")
    assert said["boot_id"] == row["boot_id"]
    words = ["wait", "--node", "rack1-7", "--other-boot", row["boot_id"], "--timeout"]
    assert controller.run(*words, "1s")[0] == TIMED_OUT
    again = threading.Timer(0.2, sim.boot_again)
    again.start()
    controller.ok(*words, "10s")
    again.join()


def test_tokens_and_conf(controller: Controller, tmp_path: Path) -> None:
    text = controller.ok("token", "create", "--ttl", "1h", "--node-name", "n9").strip()
    (row,) = [r for r in controller.json("token", "list") if r["id"] == text.partition(".")[0]]
    assert (row["state"], row["node_name"]) == ("unused", "n9")
    controller.ok("token", "revoke", text)
    assert "revoked" in controller.ok("token", "list")

    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAA me\n")
    conf = controller.ok("conf", "--name", "n10", "--net", "dhcp", "--disk", "/dev/sdb:wipe",
                         "--ssh-key", str(key)).splitlines()  # fmt: skip
    assert conf[:5] == [
        f"slicenode.controller=https://10.0.2.2:{controller.port}",
        "slicenode.name=n10", "slicenode.net=dhcp", "slicenode.disk=/dev/sdb:wipe",
        "slicenode.ssh_key=ssh-ed25519 AAAA me",
    ]  # fmt: skip
    assert conf[6] == "slicenode.ca=-----BEGIN CERTIFICATE-----"
    assert conf[-1] == "-----END CERTIFICATE-----"
    token = conf[5].removeprefix("slicenode.token=")
    node = FakeNode(controller, tmp_path / "node")
    assert node.enroll(token).status == 200
    assert controller.json("nodes", "show", node.id)["name"] == "n10"
    controller.ok("nodes", "remove", node.id)

    pinned = controller.ok("conf", "--pin", "--no-token", "--url", "https://c.example").split("\n")
    pin = controller.ok("pin").strip()
    assert pinned == ["slicenode.controller=https://c.example", f"slicenode.pin={pin}", ""]
    assert controller.ok("ca") == controller.ca_file.read_text()
    assert controller.run("conf", "--ssh-key", "/nowhere")[0] == FAILED


def test_events(controller: Controller, sim: SimNode) -> None:
    said = controller.json("request", "node.report", "--wait")
    lines = controller.ok("--json", "events", "--request", said["request"]).splitlines()
    told = [json.loads(line) for line in lines]
    assert [one["type"] for one in told] == ["request.accepted", "request.step", "request.done"]
    text = controller.ok("events", "--type", "request.step", "--node", "rack1-7")
    assert "request.step" in text and "request.done" not in text
    last = told[-1]["id"]
    assert controller.ok("events", "--after", str(last)) == ""
    command = [sys.executable, str(PROGRAM), "events", "--follow", "--json", "--after", str(last)]
    following = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(controller.folder)
    )
    assert following.stdout is not None
    asked = controller.json("request", "node.report", "--wait")
    types = []
    for _ in range(3):
        one = json.loads(following.stdout.readline())
        assert one["request"] == asked["request"]
        types.append(one["type"])
    following.terminate()
    following.communicate()
    assert types == ["request.accepted", "request.step", "request.done"]


def test_requests(controller: Controller, sim: SimNode) -> None:
    said = controller.json("request", "node.report")
    shown = json.loads(controller.ok("wait", said["request"], "--json"))
    assert shown["state"] == "done" and shown["op"] == "node.report"
    assert "node.report" in controller.ok("requests")
    assert controller.json("requests", "show", said["request"][:13])["id"] == said["request"]


def test_wait_times_out(controller: Controller, tmp_path: Path) -> None:
    assert controller.run("wait", "--node", "nobody", "--timeout", "0")[0] == TIMED_OUT
    silent = FakeNode(controller, tmp_path)
    silent.enroll(controller.token(name="silent"))
    said = controller.json("request", "node.report", "--node", "silent")
    status, _, err = controller.run("wait", said["request"], "--timeout", "1s")
    assert status == TIMED_OUT and "queued" in err
    controller.ok("nodes", "remove", "silent")
    status, _, err = controller.run("wait", said["request"])
    assert status == FAILED and "cancelled" in err


def test_node_must_be_named_if_there_are_more(
    controller: Controller, sim: SimNode, tmp_path: Path
) -> None:
    second = FakeNode(controller, tmp_path)
    second.enroll(controller.token(name="second"))
    status, _, err = controller.run("request", "node.report")
    assert status == USAGE and "there are 2 nodes" in err
    controller.ok("nodes", "remove", "second")


def test_coverage_and_violations(controller: Controller, sim: SimNode, tmp_path: Path) -> None:
    time.sleep(0.6)  # Counts are written down twice a second.
    said = controller.json("coverage")
    seen = {(one["operation"], one["status"]) for one in said["calls"]}
    assert {("enroll", 200), ("register", 200), ("poll", 200), ("reportEvents", 200)} <= seen
    assert "renewCertificate" in said["missing"]
    assert said["missing_requests"] == []
    assert "calls never made: " in controller.ok("coverage")
    assert controller.ok("protocol-violations") == ""

    other = Controller(tmp_path / "state")
    try:
        stranger = FakeNode(other, tmp_path / "stranger")
        stranger.call("POST", "/v1/enroll", {"token": 3})
        status, out, _ = other.run("protocol-violations")
        assert status == FAILED and "/token: must be a string" in out
        assert other.run("--json", "protocol-violations")[0] == FAILED
    finally:
        other.stop()


def test_program_itself(controller: Controller, sim: SimNode) -> None:
    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        env = {**environment(controller.folder), **more}
        return subprocess.run(
            [str(PROGRAM), *words], capture_output=True, text=True, env=env, check=False
        )

    assert json.loads(run("nodes", "--json").stdout)[0]["name"] == "rack1-7"
    assert run("--help").returncode == 0
    assert run("provision", "--help").returncode == 0
    assert run("dance").returncode == USAGE
    broken = run("nodes", SLICENODE_CONTROLLER_DIR="/dev/null")
    assert broken.returncode == FAILED and broken.stderr.count("\n") == 1


def test_port_that_is_taken(controller: Controller, tmp_path: Path) -> None:
    words = ["serve", "--listen", f"127.0.0.1:{controller.port}"]
    done = subprocess.run(
        [str(PROGRAM), "--dir", str(tmp_path / "state"), *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == FAILED and "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_second_server_in_the_same_folder(controller: Controller) -> None:
    status, _, err = controller.run("serve", "--listen", "127.0.0.1:0")
    assert status == FAILED and "serves from" in err and "already" in err


def test_state_folder_is_private(controller: Controller) -> None:
    for name in ("ca/ca.key", "ca/server.key"):
        assert (controller.folder / name).stat().st_mode & 0o077 == 0
    assert os.access(controller.folder / "controller.db", os.R_OK)


def test_certificate_gets_the_names_that_are_asked_for(tmp_path: Path) -> None:
    controller = Controller(tmp_path / "state")
    pin = controller.ok("pin")
    controller.stop()
    again = Controller(tmp_path / "state", "--name", "c.example", "--name", "192.0.2.7")
    try:
        done = subprocess.run(
            ["openssl", "x509", "-in", str(tmp_path / "state" / "ca" / "server.pem"), "-noout",
             "-ext", "subjectAltName", "-startdate"], capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in ("DNS:c.example", "IP Address:192.0.2.7", "DNS:localhost",
                     "IP Address:10.0.2.2", "IP Address:127.0.0.1"):  # fmt: skip
            assert name in done.stdout
        # A node whose clock stands at its image's build must find it valid.
        assert "notBefore=Jan  1 00:00:00 2020 GMT" in done.stdout
        assert again.ok("pin") == pin
        assert "https://c.example:" in again.ok("conf", "--no-token")
    finally:
        again.stop()
