"""request.cancel: what waits, what is at work, what cannot be cancelled (test_every_moment.py cancels
each operation at each of its moments)."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from audit import audit
from images import Images
from node import Node, Refused, slice_args
from waiting import wait_until


def cancel(node: Node, **args: Any) -> None:
    ended = node.call("request.cancel", args=args, wait=True)
    if ended["phase"] == "failed":
        raise Refused(ended["error"]["code"], ended["error"]["message"])


def refused(node: Node, **args: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        cancel(node, **args)
    return caught.value


def test_cancel_what_waits_and_what_is_at_work(node: Node, images: Images) -> None:
    image = images.add(b"BOOTS!" + bytes(300000))
    gate = images.gates[image["id"]] = threading.Event()
    slice_id = str(uuid.uuid4())
    first = node.submit("slice.provision", slice_id, **slice_args(image))
    wait_until(lambda: any("image-" in name for name in node.active()), "the import runs")
    try:
        second = node.submit("slice.stop", slice_id)
        cancel(node, request=second)
        assert node.wait(second)["error"]["code"] == "cancelled"
        assert node.call("request.show", id=first)["phase"] == "running"
        cancel(node, request=first)
    finally:
        gate.set()
    ended = node.wait(first)
    assert ended["error"]["code"] == "cancelled" and "by request" in ended["error"]["message"]
    node.idle()
    assert audit(node).slices == {} and node.volumes() == set()
    assert refused(node, request=first).code == "too_late"


def test_cancel_overtakes_a_full_queue(node: Node, images: Images) -> None:
    """Every worker is busy, and the cancelling does not wait for one."""
    made = [images.add(b"BOOTS!" + bytes(300000)) for _ in range(6)]
    gate = threading.Event()
    images.gates.update({image["id"]: gate for image in made})
    requests = [node.submit("slice.provision", str(uuid.uuid4()), **slice_args(image))
                for image in made]
    wait_until(lambda: sum(name.startswith("image-") for name in node.active()) == 6, "six imports run")
    creations = node.calls("create")
    node.settings(delay_ms={"create": 60000})  # six may wait for a server of images, two for this
    requests += [node.submit("volume.create", volume=str(uuid.uuid4()), name="v", size_gib=1)
                 for _ in range(2)]
    wait_until(lambda: node.calls("create") == creations + 2, "two volumes are being made")
    try:
        waits = node.submit("image.fetch", **images.add(b"x" * 1000))
        cancel(node, request=waits)
        for request in requests:
            cancel(node, request=request)
    finally:
        gate.set()
    for request in [waits, *requests]:
        assert node.wait(request)["error"]["code"] == "cancelled"
    node.idle()
    assert audit(node).images == {}


def test_what_cannot_be_cancelled(node: Node, small: dict[str, Any]) -> None:
    assert refused(node, request=str(uuid.uuid4())).code == "invalid_argument"
    assert refused(node, request="x").code == "invalid_argument"
    assert refused(node).code == "invalid_argument"
    assert refused(node, request=str(uuid.uuid4()), force=True).code == "unknown_field"
    own = str(uuid.uuid4())
    node.call("request.cancel", id=own, args={"request": own})
    assert node.wait(own)["phase"] == "failed"
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small))
    node.settings(delay_ms={"remove": 500})
    request = node.submit("slice.terminate", slice_id)
    found = refused(node, request=request)
    assert found.code == "too_late" and "past the point" in found.message
    assert node.wait(request)["phase"] == "done"


def test_cancelled_start_is_not_made_up_for(node: Node, small: dict[str, Any]) -> None:
    """What is desired is as before: neither this agent nor the next starts the slice after all."""
    slice_id = str(uuid.uuid4())
    node.do("slice.provision", slice_id, **slice_args(small, desired="stopped"))
    node.settings(delay_ms={"domain_start": 1000})
    request = node.submit("slice.start", slice_id)
    wait_until(lambda: f"seed-{slice_id}" in node.active(), "the start is at work")
    done = node.slicectl("request", "cancel", request)
    assert done.returncode == 0, done.stderr
    assert node.wait(request)["error"]["code"] == "cancelled"
    node.settings()
    node.power_cut()
    node.start()
    node.idle()
    assert node.slices()[slice_id]["desired"] == "stopped" and node.domains() == {}
    assert node.state(slice_id) == "stopped"


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@pytest.mark.parametrize(("more", "code"), (({"deadline": "2020-01-01T00:00:00Z"}, "deadline_passed"),
                                            ({"args": {"forec": True}}, "unknown_field")))
def test_a_refused_terminate_changes_nothing(node: Node, small: dict[str, Any], more: dict[str, Any],
                                             code: str) -> None:
    """Neither what is at work for the slice nor what waits is cancelled for it."""
    slice_id, request = str(uuid.uuid4()), str(uuid.uuid4())
    node.settings(delay_ms={"domain_start": 1500})
    provision = node.submit("slice.provision", slice_id, **slice_args(small))
    wait_until(lambda: f"seed-{slice_id}" in node.active(), "the provision is at work")
    reboots = [node.submit("slice.reboot", slice_id) for _ in range(3)]
    node.call("slice.terminate", **({"id": request, "slice": slice_id, "args": {}} | more))
    assert node.wait(request)["error"]["code"] == code
    assert [node.wait(one)["phase"] for one in (provision, *reboots)] == ["done"] * 4
    assert node.state(slice_id) == "running"


@pytest.mark.parametrize("killed", (False, True))
def test_a_terminate_that_has_made_way_is_not_refused_later(node: Node, small: dict[str, Any], killed: bool) -> None:
    """Its deadline was in time when it ended what was under way; also an agent that starts anew knows that."""
    slice_id, request = str(uuid.uuid4()), str(uuid.uuid4())
    node.settings(delay_ms={"domain_start": 3000})
    provision = node.submit("slice.provision", slice_id, **slice_args(small))
    wait_until(lambda: f"seed-{slice_id}" in node.active(), "the provision is at work")
    node.call("slice.terminate", id=request, slice=slice_id, args={}, deadline=in_seconds(0.5))
    if killed:
        node.kill()
        passed = in_seconds(0.6)
        wait_until(lambda: in_seconds(0) > passed, "the deadline has passed")
        node.settings()
        node.start()
    assert node.wait(provision)["error"]["code"] == "cancelled"
    assert node.wait(request)["phase"] == "done", node.wait(request)
    node.idle()
    assert node.slices() == {} and node.domains() == {}
