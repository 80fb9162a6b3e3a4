"""Machines as hosters have them: what is in each, what is expected of each disk and of the node.

A row is one case, of one boot or several with the same disks. What a boot says of a disk is told by the disk's serial
number, which is also the name of its file: two disks of one file are two paths to one disk. `test_hardware.py` plays
the cases; those that are `usual` in each `make test`, all of them in `make test-hardware`.

Of all cases it is true that a disk which its row does not expect to be claimed has the same bytes after the boot, and
that a pool which is ready has the metadata that its size takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from signatures import KINDS

READY = r"\d+ MiB in volume group slicenode"
NONE = "none"


@dataclass(frozen=True)
class Disk:
    """`expected`: its state, after a colon what its reason must say, others after "or"; "absent" is none."""

    serial: str
    bus: str
    size: str
    expected: str
    # one of signatures.KINDS, or nothing
    content: str = ""
    # as scripts/qemu has it
    fault: str = ""
    sector: int = 512
    # more of scripts/qemu's keys
    keys: str = ""
    # another disk, whose bytes this one has at first
    copy_of: str = ""
    # where it is not the serial number
    file: str = ""
    # a disk that is claimed, and yet must not be written: nothing can be started
    untouched: bool = False


@dataclass(frozen=True)
class Boot:
    """`storage`: what the screen must say of it; `says` and `never`: what the console must say, and must not."""

    disks: tuple[Disk, ...] = ()
    storage: str = READY
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    # slicenode.disk
    disk: str = ""
    # QEMU's name of each card and the driver that serves it; the first gets an address
    nics: tuple[tuple[str, str], ...] = (("virtio-net-pci", "virtio_net"),)
    # kernel, iso, usb, uefi
    medium: str = "kernel"
    machine: str = ""
    cpus: int = 1
    memory_mib: int = 1024


@dataclass(frozen=True)
class Case:
    """`about`: which report from elsewhere it goes back to, if any."""

    name: str
    boots: tuple[Boot, ...]
    usual: bool = False
    about: str = ""


NEW = r"claimed: \(new\)"
OURS = r"claimed: volume group(?!.*\(new\))"
GOOD, GOOD_AGAIN = Disk("GOOD", "scsi", "6G", NEW), Disk("GOOD", "scsi", "6G", OURS)
LARGE = "format=qcow2"
# 976,773,168 sectors of 512 bytes, as disks of 500 GB have: no whole number of MiB, as with most sizes
ODD = "500107862016"


def case(name: str, *boots: Boot, usual: bool = False, about: str = "") -> Case:
    return Case(name, boots, usual, about)


def again(disks: tuple[Disk, ...]) -> tuple[Disk, ...]:
    """At the next boot: what was new is ours."""
    return tuple(replace(disk, expected=OURS) if disk.expected == NEW else disk for disk in disks)


# --- Controllers, cards, machines ----------------------------------------------------------------

CONTROLLERS = (
    Disk("VIRTIO", "virtio", "6G", NEW),
    Disk("NVME", "nvme", "6G", NEW),
    Disk("PATHS", "nvme-paths", "6G", NEW),
    Disk("SATA", "sata", "6G", NEW),
    Disk("SCSI", "scsi", "6G", NEW),
    Disk("MEGASAS", "megasas", "6G", NEW),
    Disk("MPTSAS", "mptsas", "6G", NEW),
    Disk("PVSCSI", "pvscsi", "6G", NEW),
)
PATHS = (Disk("PATHS", "nvme-paths", "6G", NEW), Disk("PLAIN", "nvme", "6G", NEW))
CARDS = (("e1000", "e1000"), ("e1000e", "e1000e"), ("vmxnet3", "vmxnet3"), ("rtl8139", "8139cp"))
HIDDEN = r"nvme\d+c\d"
MACHINES = (
    case("eight controllers, four cards",
         Boot(CONTROLLERS, storage=r"49\d{3} MiB in", nics=CARDS, memory_mib=2048, never=(HIDDEN,)), usual=True,
         about="storaged-project/blivet#879, canonical/lxd#7313, rear/rear#3085: the hidden disks of NVMe paths"),
    case("nvme, two paths", Boot(PATHS, never=(HIDDEN,)), Boot(again(PATHS), never=(HIDDEN,))),
    case("nvme, two paths, later one",
         Boot((Disk("PATHS", "nvme-paths", "6G", NEW),), never=(HIDDEN,)),
         Boot((Disk("PATHS", "nvme", "6G", OURS),))),
    case("other controllers and cards",
         Boot((GOOD, Disk("GEN2", "megasas-gen2", "6G", NEW), Disk("UAS", "uas", "6G", "unused: removable"),
               Disk("USB", "usb", "6G", "unused: removable"),
               Disk("TRAY", "scsi", "6G", "unused: removable", keys="more=removable=on")),
              nics=(("i82559er", "e100"), ("usb-net", "cdc_ether"), ("e1000-82545em", "e1000")))),
    case("usb disks that are named",
         Boot((Disk("UAS", "uas", "6G", NEW), Disk("USB", "usb", "6G", NEW),
               Disk("BLANK", "scsi", "6G", "unused: named")), disk="serial=UAS,serial=USB")),
    case("controllers and a card without a driver",
         Boot((GOOD, Disk("LSI", "lsi", "6G", "absent"), Disk("AM53", "am53c974", "6G", "absent")),
              says=("1000:0012", "1022:2020"), nics=(("pcnet", ""),))),
    case("the old machine's own disks", Boot((Disk("IDE", "ide", "6G", NEW), GOOD), machine="pc")),
    *(case(f"{machine} {medium}, {cpus} processors, {memory_mib} MiB",
           Boot((GOOD,), machine=machine, medium=medium, cpus=cpus, memory_mib=memory_mib))
      for machine, medium, cpus, memory_mib in (
        ("pc", "kernel", 1, 512), ("q35", "kernel", 16, 8192), ("q35", "iso", 1, 512), ("pc", "iso", 16, 2048),
        ("q35", "uefi", 1, 8192), ("q35", "usb", 2, 1024))),
    case("boot from USB, beside the stick",
         Boot((GOOD,), medium="usb", says=(r"disk +sd\w+ \d+ MiB medium: ",), never=(r"problem.*sd\w+.*foreign",))),
    case("boot from USB by UEFI, no other disk",
         Boot(medium="uefi", storage=NONE,
              says=("problem: no disk found", r"disk +sd\w+ \d+ MiB medium: "))),
)

# --- Sizes of disks and of sectors ---------------------------------------------------------------

# Where a group cannot have both, who stays out says why.
MIXED = "claimed or failed: sector or unused: sector"
N4K = Disk("N4K", "nvme", "6G", NEW, sector=4096)
ALL_4K = (N4K, Disk("V4K", "virtio", "6G", NEW, sector=4096), Disk("S4K", "scsi", "6G", NEW, sector=4096))
BOTH = (Disk("N4K", "nvme", "6G", MIXED, sector=4096), Disk("N512", "nvme", "6G", MIXED),
        Disk("S512", "scsi", "6G", MIXED))
LARGEST = tuple(Disk(serial, bus, size, NEW, keys=LARGE)
                for serial, bus, size in (("T20", "scsi", "20T"), ("T9A", "nvme", "9T"), ("T9B", "virtio", "9T")))
LATER = Disk("T20", "scsi", "20T", "claimed or unused or failed", keys=LARGE)
NO_DISK = Disk("ODD", "nvme-paths", "6G", "absent or unused or failed or unreadable")
SIZES = (
    case("20 TiB and twice 9 TiB", Boot(LARGEST, storage=r"398\d{5} MiB"), usual=True),
    case("20 TiB and twice 9 TiB, twice booted", Boot(LARGEST), Boot(again(LARGEST), storage=r"398\d{5} MiB")),
    case("20 TiB come to 6 GiB", Boot((GOOD,)), Boot((GOOD_AGAIN, LATER)), Boot((GOOD_AGAIN, LATER))),
    case("20 TiB come to 20 TiB", Boot(LARGEST[:1]), Boot((*again(LARGEST[:1]), *LARGEST[1:])), Boot(again(LARGEST))),
    case("1 PiB", Boot((Disk("P1", "scsi", "1024T", NEW, keys=LARGE),), storage=r"107\d{7} MiB")),
    case("sectors of 4096 bytes", Boot(ALL_4K), Boot(again(ALL_4K), storage=r"1[78]\d{3} MiB")),
    case("sectors of 4096 and of 512 bytes", Boot(BOTH), Boot(BOTH),
         about="ccebelenski/anas#8, lvmteam/lvm2#181: devices have inconsistent logical block sizes"),
    case("sectors of 512, then one of 4096 bytes comes", Boot((GOOD,)), *[Boot((GOOD_AGAIN, BOTH[0]))] * 2),
    case("sectors of 4096, then one of 512 bytes comes", Boot((N4K,)), *[Boot((*again((N4K,)), BOTH[1]))] * 2),
    case("tables of the other sector size",
         Boot((GOOD, Disk("T4096", "scsi", "5G", "foreign", "gpt of 4096"),
               Disk("T512", "scsi", "5G", "foreign", "gpt of 512", sector=4096))),
         about="a disk from another bay or USB bridge: no table is found at its own sector size"),
    case("smallest and odd sizes",
         Boot((Disk("TOO-SMALL", "scsi", "4095M", "too_small"), Disk("SMALLEST", "scsi", "4096M", NEW),
               Disk("ODD", "scsi", ODD, NEW), Disk("ODD-TOO", "virtio", "4300001280", NEW)))),
    case("blocks with metadata, zones",
         Boot((GOOD, replace(NO_DISK, keys="more=ms=8"))),
         Boot((GOOD_AGAIN, replace(NO_DISK, keys="more=zoned=on+zoned.zone_size=64M"))),
         about="Linux shows such namespaces without a capacity, or as what a group cannot use"),
)

# --- Faults --------------------------------------------------------------------------------------

LAST = (6 << 30) // 512 - 1
# In this order: what is odd comes before what is good.
FAULTY = (
    Disk("A-READ", "scsi", "6G", "unreadable", fault="read"),
    Disk("A-READ-0", "scsi", "6G", "unreadable", fault="read@0"),
    Disk("A-READ-8", "scsi", "6G", "unreadable", fault="read@8"),
    Disk("A-READ-LAST", "scsi", "6G", "unreadable", fault=f"read@{LAST}"),
    Disk("A-WRITE", "scsi", "6G", "failed", fault="write"),
    Disk("A-WRITE-0", "scsi", "6G", "failed", fault="write@0"),
    Disk("A-WRITE-8", "scsi", "6G", "failed", fault="write@8"),
    Disk("A-READONLY", "scsi", "6G", "readonly", keys="readonly"),
    Disk("A-FOREIGN", "scsi", "6G", "unreadable or foreign", "ext4", fault="read@2"),
)
ONCE = tuple(Disk(f"ONCE-{bus}", bus, "6G", "claimed or unreadable or failed",
                  fault="read@0-once+read@8-once+write@0-once") for bus in ("virtio", "nvme", "scsi"))
A, B = Disk("A", "scsi", "6G", NEW), Disk("B", "scsi", "6G", NEW)
# Blank, and yet not to be taken: a group of ours is there that is not whole.
LEFT_ALONE = Disk("C", "scsi", "6G", "unused or claimed", untouched=True)
FAULTS = (
    case("nine disks with faults beside a good one", Boot((*FAULTY, GOOD)), Boot((*FAULTY, GOOD_AGAIN)),
         Boot((Disk("A-READ", "scsi", "6G", NEW), GOOD_AGAIN)),
         about="kubernetes/kubernetes#142243, #95183: blkid's 2 for what cannot be read was taken for blank"),
    *(case(f"{bus}: {fault or 'readonly'}",
           Boot((Disk("SICK", bus, "6G", state, fault=fault, keys="" if fault else "readonly"), GOOD)),
           Boot((Disk("SICK", bus, "6G", "claimed"), GOOD_AGAIN)))
      for bus in ("nvme", "virtio", "sata")
      for fault, state in (("read", "unreadable"), ("read@0", "unreadable"), ("write", "failed"),
                           ("", "readonly or failed"))
      if fault or bus != "sata"),
    # LVM's label and metadata, the state volume's superblock and its copy, the pool's metadata, the end
    *(case(f"a fault at one place: {fault}",
           *(Boot((Disk("A-SICK", "scsi", "6G", "unreadable or failed or claimed", fault=fault), good))
             for good in (GOOD, GOOD_AGAIN)))
      for fault in ("read@1", "write@1", "write@9", "read@2050", "write@2050", "write@264192", "write@2123776",
                    f"write@{LAST}", "flush")),
    case("faults where nothing is", Boot((Disk("SICK", "scsi", "6G", NEW, fault="read@8388608+write@8388608"),))),
    case("faults that pass", Boot((*ONCE, GOOD)),
         Boot((*(replace(disk, fault="", expected="claimed") for disk in ONCE), GOOD_AGAIN))),
    case("nothing but an unreadable disk",
         Boot((Disk("SICK", "scsi", "6G", "unreadable", fault="read"),), storage=NONE,
              says=("problem: .*cannot be read",))),
    case("an unreadable disk that may be wiped",
         Boot((Disk("SICK", "scsi", "6G", "unreadable or failed", "ext4", fault="read"), GOOD),
              disk="serial=SICK:wipe,serial=GOOD")),
    case("a claimed disk that cannot be read any more",
         Boot((A, B)),
         Boot((Disk("A", "scsi", "6G", "claimed", untouched=True), Disk("B", "scsi", "6G", "unreadable", fault="read"),
               LEFT_ALONE), storage=NONE, says=("(?i)problem: .*(missing|unreadable|cannot be read)",)),
         Boot(again((A, B)))),
    case("the only claimed disk cannot be read, and a blank one is there",
         Boot((A,)), Boot((Disk("A", "scsi", "6G", "unreadable", fault="read"), B)),
         Boot((replace(A, expected="claimed", untouched=True), replace(B, expected="claimed", untouched=True)),
              storage=NONE, says=("problem: .*different nodes",)),
         Boot(again((A,)))),
    case("our own disk cannot be read where the pool's metadata is",
         Boot((A,)), Boot((replace(A, expected="claimed", fault="read@2123776"),), storage=f"{READY}|{NONE}"),
         Boot(again((A,)))),
    case("a claimed disk that cannot be written any more",
         Boot((A,)),
         Boot((Disk("A", "scsi", "6G", "claimed or readonly or failed", keys="readonly"),), storage=NONE,
              says=("problem: .*sda",)),
         Boot(again((A,)))),
)

# --- Somebody's data -----------------------------------------------------------------------------

# What the reason must say of each kind; of those that are not here, nothing certain.
WORDS = {
    "ext4": "ext4 labelled customer", "vfat": "vfat", "swap": "swap", "xfs": "xfs", "btrfs": "btrfs",
    "luks": "crypto_LUKS", "ntfs": "ntfs", "zfs": "zfs", "bluestore": "ceph_bluestore", "vmfs": "VMFS",
    "iso9660": "iso9660", "drbd": "drbd|data", "lvm": "volume group customer", "mdraid 0.90": "linux_raid",
    "mdraid 1.0": "linux_raid", "mdraid 1.1": "linux_raid", "mdraid 1.2": "linux_raid", "ddf": "ddf", "isw": "isw",
    "mbr": "dos|partition", "gpt": "gpt|partition",
}
USUAL_KINDS = ("ext4", "xfs", "btrfs", "luks", "lvm", "mdraid 1.0", "isw", "ddf", "zfs", "vmfs", "gpt",
               "gpt, start zeroed", "ext4, start zeroed", "one byte at the end")
ALL_KINDS = tuple(kind for kind in KINDS if kind != "lvm slicenode")
# What has its places by sectors of 512 bytes is something else with 4096.
KINDS_4K = tuple(kind for kind in ALL_KINDS if not kind.startswith(("vfat", "mbr", "gpt", "isw")))


def foreign(kinds: tuple[str, ...], size: str, bus: str = "scsi", sector: int = 512) -> tuple[Disk, ...]:
    """A disk of each kind."""
    return tuple(Disk(kind.upper().replace(" ", "-").replace(",", ""), bus, size,
                      f"foreign: {WORDS.get(kind, '')}", kind, sector=sector) for kind in kinds)


NOT_NAMED = (Disk("OTHER", "scsi", ODD, "foreign: gpt", "gpt"), Disk("ISW", "scsi", ODD, "foreign: isw", "isw"),
             Disk("BLANK", "scsi", "6G", "unused"))
TWINS = tuple(Disk("SAME", bus, "6G", "claimed or duplicate", keys="wwn=0x5000c500deadbeef", file=file)
              for bus, file in (("scsi", "ONE"), ("scsi2", "OTHER")))
DATA = (
    *(case(f"foreign, {size} bytes", Boot((GOOD, *foreign(ALL_KINDS, size))))
      for size in (str(5 << 30), ODD, str((5 << 30) + 512), str((5 << 30) + (1 << 20) - 512), "8001563222016")),
    case("foreign, sectors of 4096 bytes", Boot((GOOD, *foreign(KINDS_4K, str((5 << 30) + 4096), sector=4096)))),
    case("foreign on other buses",
         Boot((GOOD, *foreign(("gpt, start zeroed",), ODD, "nvme"), *foreign(("isw",), ODD, "sata"),
               *foreign(("mdraid 1.0",), ODD, "virtio"), *foreign(("ext4",), ODD, "usb"))),
         about="nasty-project/nasty#488, coreos/bugs#1060: the backup table alone; crowbar/crowbar-core#15: md's end"),
    case("foreign and nothing else",
         Boot(foreign(("ext4", "gpt, start zeroed"), ODD), storage=NONE, says=(r"problem: .*\[disk_foreign\]",))),
    case("wiped is only what is named",
         Boot((Disk("NAMED", "scsi", ODD, NEW, "gpt"), *NOT_NAMED), disk="serial=NAMED:wipe,serial=ISW"),
         Boot((Disk("NAMED", "scsi", ODD, OURS, "gpt"), *NOT_NAMED), disk="serial=NAMED:wipe,serial=ISW",
              never=("wiping",))),
    case("wiped of every kind",
         Boot(tuple(Disk(f"WIPE-{number}", "scsi", ODD, NEW, kind) for number, kind in enumerate(ALL_KINDS)),
              disk=",".join(f"serial=WIPE-{number}:wipe" for number in range(len(ALL_KINDS))))),
    case("two disks with one serial number",
         Boot((Disk("SAME", "scsi", "6G", "claimed or duplicate"),
               Disk("SAME", "nvme", ODD, "foreign: isw", "isw", file="OTHER"))),
         about="rackerlabs/genestack#451: volumes of two targets with the same numbers are not one disk"),
    case("two blank disks with one serial number and WWN", Boot(TWINS), Boot(TWINS)),
    case("a disk of a group of our name with nothing in it",
         Boot((GOOD, Disk("LVM", "scsi", "6G", "foreign: .*that no node has made", "lvm slicenode")),
              storage=f"{READY}|{NONE}")),
)

# --- The node's own disks, from boot to boot -----------------------------------------------------


def lun(expected: str, *, other: str = "duplicate", buses: str = "scsi scsi2", content: str = "",
        keys: str = "wwn=0x5000c50012345678,shared") -> tuple[Disk, ...]:
    """One disk by two paths, of which one, no matter which, is used."""
    first, second = buses.split()
    return (Disk("LUN", first, "6G", expected, content, keys=keys), Disk("LUN", second, "6G", other, keys=keys))


A_GROWN = Disk("A", "scsi", "9G", OURS)
A_ALONE = Disk("A", "scsi", "9G", "claimed", untouched=True)
SAME = (r"(?i)sd\w+ and sd\w+ are the same|same disk",)
TWICE = f"{READY}, everything on two disks"
LOST = "the mirror has lost one of its disks"
C = Disk("C", "scsi", "6G", NEW)
STILL_A = f"{OURS} or unreadable or failed"
TIME = (
    case("grown, then one missing", Boot((A, B)), Boot((A_GROWN, *again((B,))), storage=r"15\d{3} MiB"),
         Boot((A_ALONE, LEFT_ALONE), storage=NONE, says=(r"problem: 1 disk\(s\) .*missing",)), usual=True,
         about="rekby/fsextender#19: a disk that has grown"),
    case("missing, and back", Boot((A, B)), Boot((replace(A_ALONE, size="6G"), LEFT_ALONE), storage=NONE),
         Boot(again((A, B)))),
    case("one disk by two paths", Boot(lun("claimed"), says=SAME), Boot(lun("claimed"), says=SAME),
         about="yast/yast-storage-ng#1251, coreos/coreos-installer#370: one LUN twice without multipath"),
    case("one disk by two paths of different buses",
         *[Boot(lun("claimed", other="duplicate or failed", buses="virtio nvme", keys="shared"))] * 2),
    case("one disk by two paths without a WWN", *[Boot(lun("claimed", keys="shared"))] * 2),
    case("one disk by two paths, before and after by one",
         Boot((Disk("LUN", "scsi", "6G", NEW),)), Boot(lun("claimed"), says=SAME),
         Boot((Disk("LUN", "scsi2", "6G", OURS),))),
    case("one foreign disk by two paths",
         Boot((*lun("foreign", content="isw", other="foreign or duplicate"), GOOD))),
    case("one disk by two paths, to be wiped",
         Boot(lun("claimed", content="ext4"), disk="serial=LUN:wipe"),
         Boot(lun("claimed"), disk="serial=LUN:wipe", never=("wiping",))),
    case("a copy beside its original",
         Boot((A,)),
         Boot((Disk("A", "scsi", "6G", "claimed or duplicate: cop"),
               Disk("COPY", "scsi", "6G", "duplicate: cop", copy_of="A", untouched=True)),
              storage=f"{READY}|{NONE}", says=("(?i)problem.*cop(y|ies)",)),
         Boot(again((A,)))),
    case("a copy that may be wiped",
         Boot((A,)),
         Boot((*again((A,)), Disk("COPY", "scsi", "6G", NEW, copy_of="A")), disk="serial=A,serial=COPY:wipe"),
         Boot(again((A, Disk("COPY", "scsi", "6G", NEW))), storage=r"1[12]\d{3} MiB")),
    case("a copy in the place of its original", Boot((A,)), Boot((Disk("COPY", "scsi", "6G", OURS, copy_of="A"),))),
    case("a larger copy in the place of its original",
         Boot((A,)), Boot((Disk("COPY", "scsi", "8G", OURS, copy_of="A"),), storage=r"8\d{3} MiB")),
    case("grown by less than an extent", Boot((A,)), Boot((Disk("A", "scsi", str((6 << 30) + 512), OURS),))),
    case("shrunk",
         Boot((Disk("A", "scsi", "9G", NEW),)),
         Boot((Disk("A", "scsi", "6G", "claimed or failed or foreign or unused", untouched=True), LEFT_ALONE),
              storage=NONE, says=("(?i)problem: .*(small|shrunk)",)),
         Boot((Disk("A", "scsi", "9G", OURS),))),
    case("two nodes' disks",
         Boot((A,)), Boot((B,)),
         Boot((replace(A, expected="claimed", untouched=True), replace(B, expected="claimed", untouched=True)),
              storage=NONE, says=("problem: .*different nodes",))),
    case("to be wiped, and already ours",
         Boot((Disk("A", "scsi", "6G", NEW, "ext4"),), disk="serial=A:wipe"),
         Boot(again((A,)), disk="serial=A:wipe", never=("wiping",)),
         Boot((*again((A,)), Disk("SICK", "scsi", "6G", "unreadable or failed", fault="read")),
              disk="serial=A:wipe,serial=SICK:wipe", never=("wiping.*sda",))),
    case("to be wiped, already ours, and not to be read in one place",
         Boot((A,)),
         *(Boot((replace(A, expected=STILL_A, fault=fault),), disk="serial=A:wipe", storage=f"{READY}|{NONE}",
                never=("wiping",))
           for fault in ("read", "read@0", "read@1", "read@8", "read@9", "read@8-once", "read@9-once+read@1-once")),
         Boot(again((A,)), disk="serial=A:wipe", never=("wiping",))),
    case("ours with sectors of 512 bytes, now seen with 4096",
         Boot((A,)), Boot((replace(A, expected=STILL_A, sector=4096),), storage=f"{READY}|{NONE}"), Boot(again((A,)))),
    case("a mirror loses a half and gets another",
         Boot((A, B), disk="mirror", storage=TWICE), Boot(again((A, B)), disk="mirror", storage=TWICE),
         Boot(again((A,)), disk="mirror", storage=f"{READY}(?!, everything)", says=(LOST,)),
         Boot((*again((A,)), C), disk="mirror", says=("the mirror has two disks again",)),
         Boot(again((A, C)), disk="mirror", storage=TWICE)),
    case("a mirror's half cannot be read any more",
         Boot((A, B), disk="mirror", storage=TWICE),
         Boot((*again((A,)), Disk("B", "scsi", "6G", "unreadable", fault="read")), disk="mirror",
              storage=f"{READY}(?!, everything)", says=(LOST,))),
    case("a mirror's half cannot be written from the start",
         Boot((A, Disk("B", "scsi", "6G", "failed", fault="write@2050")), disk="mirror", storage=NONE,
              says=("problem: ",))),
    case("a mirror of one disk",
         Boot((replace(A, expected="unused"),), disk="mirror", storage=NONE, says=("takes two disks",))),
    case("no disk is allowed",
         Boot((A,)), Boot((replace(A, expected="unused", untouched=True), replace(B, expected="unused")), disk="none",
                          storage=NONE),
         Boot(again((A,)))),
)

# Many at once.
MANY = (
    case("faults, data, two paths and two sizes of sectors beside a good one",
         *(Boot((*FAULTY, *foreign(USUAL_KINDS, ODD), *lun("claimed"), BOTH[0], good))
           for good in (GOOD, GOOD_AGAIN)), usual=True),
)

CASES = (*MACHINES, *MANY, *TIME, *SIZES, *FAULTS, *DATA)
