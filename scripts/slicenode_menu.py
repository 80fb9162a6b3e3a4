"""The boot menus, which hold Xen's command line, and the parameters of slicenode.conf that belong there.

Xen has started before anything reads a slicenode.conf, so these parameters are written into the menus: isolinux.cfg in
the ISO, pxelinux.cfg/default, and the section .config of slicenode.efi. In an ISO and in slicenode.efi a menu has a
fixed size and is overwritten in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# The first line of every menu, by which it is found in an image. The menus have some 700 bytes; at ten times this size
# they would still be nothing beside the rest.
FIRST_LINE = b"# slicenode boot menu v1 -- Xen's parameters are written here by scripts/personalise\n"
SIZE = 4096
DEFAULTS = "# defaults: "
# Xen keeps 1023 bytes of its command line, and says nothing of the rest.
XEN_LIMIT = 1000
# An isolinux that is told more than the port can do without a table of divisors shows nothing at all.
ISOLINUX_SPEED = 115200

LINES = (
    re.compile(r"^(  APPEND \S*xen\.gz )(.*?)( --- .*)$", re.MULTILINE),
    re.compile(r"^(options=)(.*)()$", re.MULTILINE),
)
SERIAL_LINE = re.compile(r"^(# )?SERIAL .*$", re.MULTILINE)


class MenuError(Exception):
    """A parameter or a menu that cannot be used."""


def _serial(value: str) -> list[str]:
    if value == "none":
        return ["console=vga"]
    port, _, rest = value.partition(",")
    return [f"console={port},vga", f"{port}={rest}" + ("" if "," in rest else ",8n1")]


def _own(name: str) -> Callable[[str], list[str]]:
    return lambda value: [f"{name}={value}"]


# Each key with its form (agent/conf/xen.c checks the same and more), the names of Xen's options that it stands for,
# and its value in Xen's words.
PARAMETERS: dict[str, tuple[str, set[str], Callable[[str], list[str]]]] = {
    "serial": (
        r"none|com[12],[0-9]{4,6}(,[5-8][noems][12](,(0x[0-9a-fA-F]{1,4}|[0-9]{1,4})){0,2})?",
        {"console", "com1", "com2"},
        _serial,
    ),
    "dom0_mem": (r"[0-9]{1,6}[MG]", {"dom0_mem"}, lambda value: [f"dom0_mem={value},max:{value}"]),
    "dom0_max_vcpus": (r"[0-9]{1,2}(-[0-9]{1,2})?", {"dom0_max_vcpus"}, _own("dom0_max_vcpus")),
    "smt": (r"on|off", {"smt"}, _own("smt")),
    "spec-ctrl": (r"[a-z0-9=,-]{1,200}", {"spec-ctrl"}, _own("spec-ctrl")),
    "sched-gran": (r"cpu|core|socket", {"sched-gran"}, _own("sched-gran")),
}


def parameters(conf: str) -> dict[str, str]:
    """The parameters of Xen's in a slicenode.conf; MenuError names one that could break a menu."""
    found: dict[str, str] = {}
    for line in conf.replace("\ufeff", "").splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        key, value = key.removeprefix("slicenode."), value.strip('"')
        if equals and key in PARAMETERS:
            if not re.fullmatch(PARAMETERS[key][0], value):
                raise MenuError(f"{key}: {value!r} is no value of it (docs/boot.md)")
            found[key] = value
    return found


def xen_words(values: dict[str, str]) -> list[str]:
    """What Xen's command line has for these parameters."""
    return [word for key, value in values.items() for word in PARAMETERS[key][2](value)]


def _name(word: str) -> str:
    return word.partition("=")[0]


def arguments_with(arguments: list[str], defaults: list[str], values: dict[str, str]) -> list[str]:
    """Xen's arguments with these parameters, with the image's own where one is not given, and with all others as they
    are: what an operator has put there by hand stays."""
    for key, (_, names, words) in PARAMETERS.items():
        new = words(values[key]) if key in values else [word for word in defaults if _name(word) in names]
        first = next((i for i, word in enumerate(arguments) if _name(word) in names), len(arguments))
        rest = [word for word in arguments[first:] if _name(word) not in names]
        arguments = arguments[:first] + new + rest
    return arguments


def new_menu(template: str, xen: str, linux: str) -> bytes:
    """A menu of an image as it is built."""
    text = FIRST_LINE.decode() + DEFAULTS + xen + "\n" + template.replace("@XEN@", xen).replace("@LINUX@", linux)
    return padded(text)


def padded(text: str) -> bytes:
    content = text.rstrip("\n").encode() + b"\n"
    if len(content) > SIZE:
        raise MenuError(f"the boot menu has {len(content)} bytes; there is room for {SIZE}")
    return content.ljust(SIZE, b"\n")


def _serial_line(values: dict[str, str], before: str) -> str:
    """isolinux talks on the port that Xen talks on."""
    if "serial" not in values:
        return "SERIAL 0 115200"
    port, _, rest = values["serial"].partition(",")
    speed = rest.partition(",")[0]
    if not rest or int(speed) > ISOLINUX_SPEED:
        return before if before.startswith("# ") else f"# {before}"
    return f"SERIAL {int(port[-1]) - 1} {speed}"


def menu_with(menu: bytes, values: dict[str, str]) -> bytes:
    """The menu with these parameters, of the same size; MenuError says why it cannot be."""
    text = menu.decode(errors="surrogateescape").rstrip("\n") + "\n"
    defaults = re.search(f"^{DEFAULTS}(.*)$", text, re.MULTILINE)
    if not defaults:
        raise MenuError("the boot menu does not say what the image's own arguments of Xen are")
    own = defaults[1].split()

    def replaced(found: re.Match[str]) -> str:
        arguments = arguments_with(found[2].split(), own, values)
        line = " ".join(arguments)
        if len(line) > XEN_LIMIT:
            raise MenuError(f"Xen's command line would have {len(line)} bytes; it reads {XEN_LIMIT}")
        return found[1] + line + found[3]

    count = 0
    for form in LINES:
        text, changed = form.subn(replaced, text)
        count += changed
    if count == 0:
        raise MenuError("the boot menu has no line with Xen's arguments")
    text = SERIAL_LINE.sub(lambda found: _serial_line(values, found[0]), text)
    return padded(text)
