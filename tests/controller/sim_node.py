"""A node with a small memory and no hypervisor: carries out requests on dictionaries."""

import threading
import uuid
from pathlib import Path
from typing import Any

from rig import Controller, FakeNode, now, registration

CONSOLE = "Booting...\r\n\x1b[32mok\x1b[0m\r\nlogin: "


class Refusal(Exception):
    """The request fails with this code."""


class SimNode(threading.Thread):
    """Polls, works and reports in a thread of its own until `stop`."""

    def __init__(self, controller: Controller, folder: Path, name: str) -> None:
        super().__init__(daemon=True)
        self.node = FakeNode(controller, folder)
        assert self.node.enroll(controller.token(name=name)).status == 200
        self.slices: dict[str, dict[str, Any]] = {}
        self.images: dict[str, str] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()
        self.repeated: list[str] = []
        self.lines = 0
        self.failure: BaseException | None = None
        self._stopping = False
        assert self.node.register(**self.said()).status == 200
        self.start()

    def boot_again(self) -> None:
        """Registers anew, on a connection of its own: the thread uses the other one."""
        other = FakeNode(self.node.controller, self.node.folder, self.node.key)
        other.id = self.node.id
        assert other.register(**self.said()).status == 200
        other.close()

    def said(self) -> dict[str, Any]:
        return {"slices": list(self.slices.values())}

    def stop(self) -> None:
        self._stopping = True
        self.join(timeout=10)
        assert self.failure is None, self.failure

    def run(self) -> None:
        cursor = None
        try:
            while not self._stopping:
                body = self.node.poll(cursor, wait=1).body
                cursor = body["cursor"]
                for request in body["requests"]:
                    self._take(request)
        except BaseException as error:
            self.failure = error

    def _take(self, request: dict[str, Any]) -> None:
        if request["id"] in self.seen:
            self.repeated.append(request["id"])
            return
        self.seen.add(request["id"])
        whose = {"request": request["id"], "slice": request["slice"]}
        told = [self.node.event("request.accepted", **whose)]
        told.append(self.node.event("request.step", step="work", **whose))
        try:
            result = self._work(request, told)
            told.append(self.node.event("request.done", result=result, **whose))
        except Refusal as refusal:
            code, _, console = str(refusal).partition("|")
            error = {"code": code, "message": f"no: {code}"}
            if console:
                error["console"] = console
            told.append(self.node.event("request.failed", error=error, **whose))
        answer = self.node.events(*told)
        assert answer.status == 200, answer.body
        assert answer.body["acknowledged"] == self.node.seq

    def _work(self, request: dict[str, Any], told: list[dict[str, Any]]) -> Any:
        op, args, slice_id = request["op"], request["args"], request["slice"]
        if op == "node.report":
            return {**registration(), **self.said()}
        if op == "node.drain":
            running = sum(known["state"] == "running" for known in self.slices.values())
            state = "draining" if args.get("drain", True) else "ready"
            return {"state": state, "slices": len(self.slices), "running": running}
        if op == "node.reboot":
            return {"boot_id": str(uuid.uuid4())}
        if op == "request.cancel":
            return None
        if op == "image.fetch":
            self.images[args["id"]] = args.get("kind", "disk")
            image = {"id": args["id"], "state": "ready", "kind": args.get("kind", "disk")}
            told.append(self.node.event("image.state", result=image, request=request["id"]))
            return None
        if op == "image.delete":
            if self.images.pop(args["id"], None) is None:
                raise Refusal("image_not_found")
            return None
        if op == "slice.provision":
            return self._provision(slice_id, args, told)
        if op.startswith("volume."):
            return self._volume(op, slice_id, args)
        if slice_id not in self.slices:
            raise Refusal("slice_not_found")
        if op == "slice.console":
            if "follow_seconds" in args:
                self._tell_console(request, told)
            return {"console": CONSOLE, "truncated": False}
        if op == "snapshot.export":
            return {"snapshot": args["snapshot"], "since": None, "format": "raw", "compression": "none",
                    "bytes": 1, "read_bytes": 1, "sha256": "0" * 64}  # fmt: skip
        if op.startswith("snapshot."):
            return self._snapshot(op, args, self.slices[slice_id])
        if op == "slice.resize":
            self.slices[slice_id].update(args)
            return {"slice": self.slices[slice_id], "applied": dict.fromkeys(args, "next_start")}
        if op == "slice.terminate":
            del self.slices[slice_id]
            return None
        states = {"slice.stop": "stopped", "slice.pause": "paused"}
        self._set_state(slice_id, states.get(op, "running"), told)
        return {"slice": self.slices[slice_id], "forced": False}

    def _tell_console(self, request: dict[str, Any], told: list[dict[str, Any]]) -> None:
        """What was there, and in this request's time another line."""
        self.lines += 1
        for text in (CONSOLE + "x" * (self.lines - 1), "x"):
            told.append(self.node.event("slice.console", request=request["id"],
                                        slice=request["slice"],
                                        result={"console": text, "truncated": False}))

    def _provision(self, slice_id: str, args: dict[str, Any], told: list[dict[str, Any]]) -> Any:
        if slice_id in self.slices:
            raise Refusal("slice_exists")
        if args["memory_mib"] < 16:
            raise Refusal("invalid_argument")
        if args["memory_mib"] > 4096:
            raise Refusal("insufficient_memory")
        taken = [one["id"] for known in self.slices.values() for one in known["snapshots"]]
        if "snapshot" in args:
            if args["snapshot"] not in taken:
                raise Refusal("snapshot_not_found")
        elif args["image"].get("url") is None and args["image"]["id"] not in self.images:
            raise Refusal("image_not_found")
        keys = ("name", "vcpus", "memory_mib", "disk_gib")
        self.slices[slice_id] = {
            **{key: args[key] for key in keys},
            "id": slice_id, "state": "provisioning", "desired": args.get("desired", "running"),
            "type": args.get("type", "pvh"), "domain_id": None, "snapshots": [], "error": None,
            "image": args["image"]["id"] if "image" in args else None,
        }  # fmt: skip
        if "snapshot" in args:
            self.slices[slice_id]["snapshot"] = args["snapshot"]
        self.provisioned = args
        if args["name"] == "unbootable":
            self._set_state(slice_id, "failed", told, "image_not_bootable")
            raise Refusal("image_not_bootable|grub rescue>\x1b[31m")
        self._set_state(slice_id, self.slices[slice_id]["desired"], told)
        return {"slice": self.slices[slice_id]}

    def _set_state(
        self, slice_id: str, state: str, told: list[dict[str, Any]], code: str | None = None
    ) -> None:
        error = None if code is None else {"code": code, "message": code}
        self.slices[slice_id].update(state=state, error=error)
        desired = self.slices[slice_id]["desired"]
        result = {"state": state, "desired": desired, "reason": "requested"}
        told.append(self.node.event("slice.state", slice=slice_id, result=result, error=error))

    def _volume(self, op: str, slice_id: str | None, args: dict[str, Any]) -> Any:
        if op == "volume.create":
            new = {"id": args["volume"], "name": args["name"], "size_gib": args["size_gib"]}
            self.volumes[args["volume"]] = {**new, "state": "available", "slice": None, "device": None}
        elif args["volume"] not in self.volumes:
            raise Refusal("volume_not_found")
        volume = self.volumes[args["volume"]]
        if op == "volume.attach":
            volume.update(state="attached", slice=slice_id, device="xvdc")
        elif op == "volume.detach":
            volume.update(state="available", slice=None, device=None)
        elif op == "volume.resize":
            volume["size_gib"] = args["size_gib"]
        elif op == "volume.delete":
            del self.volumes[args["volume"]]
            return None
        return {"volume": volume}

    def _snapshot(self, op: str, args: dict[str, Any], one: dict[str, Any]) -> Any:
        known = {snapshot["id"]: snapshot for snapshot in one["snapshots"]}
        if op == "snapshot.create":
            new = {"id": args["snapshot"], "name": args["name"], "time": now(),
                   "memory": args.get("memory", False)}
            one["snapshots"].append(new)
            return {"snapshot": new}
        if args["snapshot"] not in known:
            raise Refusal("snapshot_not_found")
        if op == "snapshot.delete":
            one["snapshots"].remove(known[args["snapshot"]])
            return None
        if one["state"] == "running" and not args.get("restart"):
            raise Refusal("slice_running")
        return {"slice": one}
