"""The stock tools in the same boot, by turns with ours: lvcreate, and xl with Xen's own scripts for disks and NICs.

Xen's scripts run in Debian's bash with Debian's tools, the slice has the same kernel, memory and disk, and LVM is the
node's own, on a disk of its own. Without iptables, udev and a boot loader the stock tools do less here than on a usual
host."""

from __future__ import annotations

import subprocess

import peers
from figures import show_ratio
from node import REPOSITORY
from waiting import PATIENCE
from phases import Runs, ask, start_phases
from rack import SMALL_KERNEL, OpenRack

DISK_MARK = b"stock tools\n"  # so that the node leaves the disk alone
DISK_GIB = 12
MEMORY_MIB = 192
TOOLS = ("bash", "dirname", "stat", "expr", "flock", "readlink", "rm", "mkdir", "cat", "cut", "grep", "sed", "awk",
         "ip", "logger")
SCRIPTS = f"{peers.FOLDER}/scripts"
XL = f"{peers.FOLDER}/xl"
CONFIG = """name="stock"
type="pvh"
kernel="{folder}/small.vmlinuz"
ramdisk="{folder}/small.initrd"
extra="{cmdline}"
memory={memory_mib}
vcpus=1
disk=["format=raw,vdev=xvda,access=rw,backendtype=phy,script={scripts}/block,target=/dev/mapper/stock-web"]
vif=["bridge=xenbr0,script={scripts}/vif-bridge"]
"""
# What the scripts expect of an installed Xen.
PATHS = f"""sbindir={peers.FOLDER}/bin
bindir={peers.FOLDER}/bin
LIBEXEC_BIN=/usr/lib/xen/bin
libdir=/usr/lib
XEN_SCRIPT_DIR={SCRIPTS}
"""
SET_UP = f"""set -e
mkdir -p /var/lock /var/log/xen /etc/xen /var/lib/xen
: >/etc/xen/xl.conf
ln -sf /proc/self/fd/0 /dev/stdin
modprobe dm-snapshot
ln -sf {peers.FOLDER}/bin/bash /bin/bash
for call in read write list; do ln -sf $(command -v xenstore) {peers.FOLDER}/bin/xenstore-$call; done
for folder in /sys/block/*; do
    disk=/dev/${{folder##*/}}
    read -r mark 2>/dev/null <$disk || continue
    [ "$mark" != "{DISK_MARK.decode().strip()}" ] || stock=$disk
done
exec 2>&1
lvm pvcreate -q -ff -y $stock
lvm vgcreate -q stock $stock
lvm lvcreate -q -y -T -L {DISK_GIB - 2}g -c 64k stock/pool
lvm lvcreate -q -y -T -V 1g -n base stock/pool
{peers.FOLDER}/bin/zstd -dc {peers.FOLDER}/small.raw.zst >/dev/mapper/stock-base
sync
rm {peers.FOLDER}/small.raw.zst
"""
CREATE, DESTROY = f"{XL} create -p {peers.FOLDER}/stock.cfg", f"{XL} destroy stock"
# Each prints hundredths of a second by the node's clock.
STEPS = {
    "clone": "lvm lvcreate -q -y -s -kn -n web stock/base && lvm lvchange -q -ay -K stock/web",
    "create": CREATE,
    "unpause": f"{XL} unpause stock",
    "snapshot": "lvm lvcreate -q -y -s -n before stock/web",
    "stop": DESTROY,
    "merge": "lvm lvchange -q -an stock/web && lvm lvconvert -q -y --merge stock/before"
             " && lvm lvchange -q -ay -K stock/web",
    "start": CREATE,
    "destroy": DESTROY,
    "remove": "lvm lvremove -q -y stock/web",
}
# What is compared -> what ours is called, what theirs is called, and which of the steps above it takes.
KINDS = {
    "provision": ("slice.provision, accepted to unpaused", "lvcreate -s and xl create -p", ("clone", "create")),
    "snapshot": ("snapshot.create of the running slice", "lvcreate -s", ("snapshot",)),
    "revert": ("snapshot.revert of the running slice", "xl destroy, lvconvert --merge and xl create -p",
               ("stop", "merge", "start")),
    "terminate": ("slice.terminate", "xl destroy and lvremove", ("destroy", "remove")),
}
RUN = peers.NOW + r"""
began=$(now)
{ COMMAND; } >/tmp/stock.log 2>&1 || { cat /tmp/stock.log /var/log/xen/*; exit 1; }
echo $(($(now) - began))
"""


def add_disk(rack: OpenRack) -> None:
    """Before the node is switched on the first time."""
    path = rack.node.folder / "stock.img"
    with path.open("wb") as disk:
        disk.write(DISK_MARK)
        disk.truncate(DISK_GIB << 30)
    rack.forwards += ["--disk", str(path)]


def set_up(rack: OpenRack) -> None:
    """The kernel is as its distribution ships it, packed; the node keeps its own copy unpacked."""
    built = REPOSITORY / "out" / "peers"
    guest = rack.artefacts.out / "guest"
    files = {f"scripts/{path.name.removesuffix('.in')}": path.read_text().replace("@XEN_LOG_DIR@", "/var/log/xen")
             .replace("@XEN_SCRIPT_DIR@", SCRIPTS).encode() for path in (built / "scripts").iterdir()}
    files |= {"scripts/hotplugpath.sh": PATHS.encode(), "xl": (built / "xl").read_bytes(),
              "stock.cfg": CONFIG.format(folder=peers.FOLDER, cmdline=SMALL_KERNEL[5], memory_mib=MEMORY_MIB,
                                         scripts=SCRIPTS).encode()}
    files |= {name: (guest / name).read_bytes() for name in ("small.raw.zst", "small.vmlinuz", "small.initrd")}
    peers.install(rack, "zstd", *TOOLS)
    peers.send(rack, files)
    rack.dom0(SET_UP, 300)


def step(rack: OpenRack, name: str) -> float:
    done = subprocess.run([*rack.dom0_words(), RUN.replace("COMMAND", STEPS[name])], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == 0, f"{STEPS[name]}: {done.stdout}{done.stderr}"
    return int(done.stdout) / 100


Took = dict[str, dict[str, float]]


def ours(rack: OpenRack, number: int) -> Took:
    """A slice that is made, snapshotted while it runs, set back, and terminated."""
    name = f"ours{number}"
    made = start_phases(rack, lambda: str(rack.provision(
        name, "small.raw.zst", 0, "--type", "pvh", "--memory-mib", str(MEMORY_MIB), "--disk-gib", "1")["request"]))
    rack.wait_console(name, "small-guest: ready")
    return {"provision": made, "snapshot": ask(rack, "snapshot", "create", name, "before"),
            "revert": ask(rack, "snapshot", "revert", name, "before", "--restart"),
            "terminate": ask(rack, "terminate", name)}


def theirs(rack: OpenRack) -> Took:
    took = {name: step(rack, name) for name in STEPS}
    return {kind: {name: took[name] for name in steps} for kind, (_, _, steps) in KINDS.items()}


def measure(rack: OpenRack, runs: int) -> dict[str, object]:
    rack.json("terminate", rack.provision("first", "small.raw.zst", 0)["slice"], "--wait", seconds=240)
    set_up(rack)
    we, they = ({kind: Runs() for kind in KINDS} for _ in range(2))
    for number in range(runs):
        for of, found in ((we, ours(rack, number)), (they, theirs(rack))):
            for kind, one in found.items():
                of[kind].add(one)
    results: dict[str, object] = {}
    for kind, (our_title, their_title, _) in KINDS.items():
        results[kind] = we[kind].show(our_title)
        results[f"{kind}_stock"] = they[kind].show(their_title)
        results[f"{kind}_ratio"] = show_ratio("times as fast as the stock tools", we[kind].totals, they[kind].totals)
    return results
