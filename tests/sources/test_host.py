"""The machine around a fetch: apt's configuration in all its forms, proxies, clocks, locales, curl's settings."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import faults
from server import Server
from tree import host_suite
from world import World

DEB822 = {
    "folded lines": "Types:\n deb\nURIs:\n {mirror}/debian\nSuites:\n {suite}\nComponents:\n main contrib\n",
    "lower case": "types: deb\nuris: {mirror}/debian\nsuites: {suite}\ncomponents: main\n",
    "comments": "# deb http://comment.invalid/debian {suite} main\nTypes: deb\n# http://comment.invalid\n"
                "URIs: {mirror}/debian\nSuites: {suite}\nComponents: main\n",
    "one that is off": "Types: deb\nURIs: http://off.invalid/debian\nSuites: {suite}\nComponents: main\n"
                       "Enabled: no\n\nTypes: deb\nURIs: {mirror}/debian\nSuites: {suite}\nComponents: main\n",
    "with deb-src": "Types: deb deb-src\nURIs: {mirror}/debian\nSuites: {suite}\nComponents: main\n",
    "only stable": "Types: deb\nURIs: {mirror}/debian\nSuites: stable\nComponents: main\n",
    "signed-by": "Types: deb\nURIs: {mirror}/debian\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n",
    "an embedded key": "Types: deb\nURIs: {mirror}/debian\nSuites: {suite}\nComponents: main\nSigned-By:\n{block}\n",
    "an absent keyring": "Types: deb\nURIs: {mirror}/debian\nSuites: {suite}\nComponents: main\n"
                         "Signed-By: /nonexistent/keyring.gpg\n",
    "others first": "Types: deb\nURIs: {other}/\nSuites: nodistro\nComponents: main\n\n"
                    "Types: deb\nURIs: {mirror}/debian-security\nSuites: {suite}-security\nComponents: main\n\n"
                    "Types: deb\nURIs: {mirror}/debian\nSuites: {suite}\nComponents: main\n",
}
ONE_LINE = {
    "plain": "deb MIRROR/debian SUITE main\n",
    "stable": "deb MIRROR/debian stable main non-free-firmware\n",
    "tabs": "deb\tMIRROR/debian\tSUITE\tmain\n",
    "options": "deb [ arch=amd64 trusted=yes ] MIRROR/debian SUITE main # a comment\n",
    "signed-by": "deb [signed-by=KEYRING] MIRROR/debian SUITE main\n",
    "with deb-src": "deb MIRROR/debian SUITE main\ndeb-src MIRROR/debian SUITE main\n",
    "twice": "deb MIRROR/debian SUITE main\ndeb MIRROR/debian/ SUITE main\n",
    "a foreign architecture": "deb [arch=arm64] http://arm.invalid/debian SUITE main\ndeb MIRROR/debian SUITE main\n",
    "a cd-rom": "deb cdrom:[Debian GNU/Linux]/ SUITE main\ndeb MIRROR/debian SUITE main\n",
}


def moved_in_the_pool(world: World) -> None:
    """The index must be read to find beta."""
    world.archive.move(world.beta, "pool/main/n/new/beta.deb")
    world.archive.drop(*world.alpha)
    world.archive.source("alpha", "1.2.4-1")
    world.publish()


def works(world: World) -> None:
    """Files at the pinned path, by the index and by the snapshot service are all had."""
    moved_in_the_pool(world)
    result = world.tree.fetched()
    assert world.all_there(), result.text
    assert world.mirror.asked("*/pool/main/n/new/beta.deb") == 1


@pytest.mark.parametrize("form", DEB822)
def test_deb822(world: World, form: str) -> None:
    """pop-os/repolib PR #76, canonical/apport PR #316 and many more: parsers of their own fail at these."""
    other = world.server(folder=world.folder / "other")
    block = "".join(f" {line or '.'}\n" for line in world.key.armoured.read_text().splitlines())
    text = DEB822[form].format(mirror=world.mirror.url, suite=host_suite(), keyring=world.keyring, other=other.url,
                               block=block.rstrip("\n"))
    (world.tree.etc / "sources.list.d" / "debian.sources").write_text(text)
    works(world)
    assert not other.asked("*/alpha*"), "a repository of others does not learn what is built"


@pytest.mark.parametrize("form", ONE_LINE)
def test_one_line(world: World, form: str) -> None:
    world.apt_lines(ONE_LINE[form].replace("KEYRING", str(world.keyring)))
    works(world)


def test_a_file_of_mirrors(world: World) -> None:
    """Debian's cloud images use mirror+file: furlongm/patchman PR #517, mvo5/unattended-upgrades#377."""
    mirrors = world.tree.etc / "mirrors.list"
    mirrors.write_text(f"{world.mirror.url}/debian\n")
    world.apt_lines(f"deb mirror+file:{mirrors} SUITE main\n")
    world.tree.fetched()
    assert world.all_there()
    assert not world.snapshot.asked()


def test_a_mirror_in_a_folder(world: World) -> None:
    """file: and copy: in apt's configuration: rickysarraf/apt-offline#43."""
    world.apt_lines(f"deb file:{world.folder}/mirror/debian SUITE main\n")
    world.tree.fetched()
    assert world.all_there()
    assert not world.snapshot.asked()


def test_no_mirror_configured(world: World) -> None:
    """devcontainers/features#786: no list at all. It is said, and other places are asked."""
    (world.tree.etc / "sources.list.d" / "debian.sources").unlink()
    world.tree.fetched()
    assert world.all_there() and world.snapshot.asked()
    world.snapshot.fault("*", faults.status("404 Not Found"))
    fresh = world.archive.binary("fresh", "1.0-1")
    world.tree.pins("beta", [fresh])
    result = world.tree.refused("beta")
    assert "apt" in result.text and "mirror" in result.text, result.text


def test_a_source_list_with_a_mistake(world: World) -> None:
    """apt names the file; so does the fetch, and other places are asked."""
    (world.tree.etc / "sources.list.d" / "broken.list").write_text("debb http://x.invalid/ y z\n")
    result = world.tree.fetch()
    assert "Traceback" not in result.text
    assert "broken.list" in result.text, result.text


HOST_CONF = {
    "paths": 'Dir::State::lists "/nonexistent";',
    "hooks": 'APT::Update::Post-Invoke {"false";}; APT::Update::Post-Invoke-Success {"false";};',
    "no cache": 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";',
    "another release": 'APT::Default-Release "bookworm";',
    "compressed": 'Acquire::GzipIndexes "true";',
    "architectures": 'APT::Architectures {"arm64";};',
    "languages": 'Acquire::Languages {"de";};',
}


@pytest.mark.parametrize("conf", HOST_CONF)
def test_apts_own_settings(world: World, conf: str) -> None:
    """systemd/mkosi PR #1157, debuerreotype/docker-debian-artifacts#197: the host's apt.conf.d leaks into ours."""
    world.apt_conf(HOST_CONF[conf] + "\n")
    works(world)


def test_preferences_of_the_host(world: World) -> None:
    """OSInside/kiwi#1763: Pin-Priority -1 for what is looked up in the index."""
    (world.tree.etc / "preferences.d" / "none").write_text("Package: *\nPin: release *\nPin-Priority: -1\n")
    (world.tree.etc / "preferences").write_text("Package: beta\nPin: version *\nPin-Priority: -1\n")
    works(world)


# --- Proxies -----------------------------------------------------------------------------------------

@pytest.fixture
def portal(world: World) -> Server:
    """A proxy that answers everything with a page."""
    made = world.server()
    made.fault("*", faults.html)
    return made


def test_a_proxy_that_answers_with_a_page(world: World, portal: Server) -> None:
    result = world.tree.refused(http_proxy=portal.url, https_proxy=portal.url)
    assert portal.asked()
    assert not world.mirror.asked(), "a configured proxy is not passed by"
    assert "HTML page" in result.text and world.beta.file in result.text
    world.tree.fetched()
    assert world.all_there()


def test_apts_proxy_that_answers_with_a_page(world: World, portal: Server) -> None:
    world.apt_conf(f'Acquire::http::Proxy "{portal.url}";\n')
    result = world.tree.refused()
    assert portal.asked() and not world.mirror.asked()
    assert "HTML page" in result.text


def test_a_proxy_and_a_place_on_this_machine(world: World, portal: Server) -> None:
    world.tree.fetched(http_proxy=portal.url, SLICENODE_SOURCES=str(world.place()))
    assert world.all_there()


@pytest.fixture
def proxy(world: World) -> Iterator[Server]:
    """A proxy that knows a mirror which has no address here."""
    made = world.server(folder=world.folder / "mirror")
    world.apt("http://mirror.invalid")
    yield made
    assert any("http://mirror.invalid/debian/pool/" in line for line in made.lines)


def test_apts_proxy(world: World, proxy: Server) -> None:
    """cashapp/kubespray PR #4972, fnt PR #38: the proxy stands in apt's configuration only."""
    world.apt_conf(f'Acquire::http::Proxy "{proxy.url}";\n')
    works_by(world, proxy)


def test_apts_proxy_for_one_host(world: World, proxy: Server) -> None:
    world.apt_conf(f'Acquire::http::Proxy::mirror.invalid "{proxy.url}/";\n')
    works_by(world, proxy)


def test_apts_proxy_but_not_for_a_host(world: World) -> None:
    world.apt_conf('Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::http::Proxy::127.0.0.1 "DIRECT";\n')
    works(world)


def test_apts_proxy_by_a_program(world: World, proxy: Server) -> None:
    """mvo5/squid-deb-proxy#4: Proxy-Auto-Detect."""
    program = world.tree.etc / "detect"
    program.write_text(f"#!/bin/sh\necho {proxy.url}\n")
    program.chmod(0o755)
    world.apt_conf(f'Acquire::http::Proxy-Auto-Detect "{program}";\n')
    works_by(world, proxy)


def test_the_environments_proxy(world: World, proxy: Server) -> None:
    works_by(world, proxy, http_proxy=proxy.url)


def works_by(world: World, proxy: Server, **environment: str) -> None:
    moved_in_the_pool(world)
    result = world.tree.fetch("beta", **environment)
    assert result.code == 0, result.text
    assert world.tree.has(world.beta)
    assert proxy.asked("*/new/beta.deb") == 1


# --- Secrets -----------------------------------------------------------------------------------------

def authorised(server: Server) -> list[str]:
    return [value for headers in server.headers for name, value in headers.items() if name == "Authorization"]


def test_a_password_in_an_address(world: World) -> None:
    """NixOS/nix PR #15715, cpanminus#259: it stood in messages. It is used and never shown, in no file either."""
    secret = "s3cret-of-the-tests"
    address = world.mirror.url.replace("//", f"//somebody:{secret}@")
    world.apt_lines(f"deb {address}/debian SUITE main\n")
    place = world.server(folder=world.folder / "empty")
    sources = place.url.replace("//", f"//somebody:{secret}@")
    world.tree.fetched("beta", SLICENODE_SOURCES=sources)
    assert authorised(world.mirror) and authorised(place)
    world.mirror.fault("*", faults.status("401 Unauthorized"))
    result = world.tree.refused("alpha", SLICENODE_SOURCES=sources, SLICENODE_SNAPSHOT="")
    assert "401" in result.text and secret not in result.text
    left = subprocess.run(["grep", "-rlF", secret, str(world.tree.folder), str(world.tree.cache / "sources")],
                          capture_output=True, text=True, check=False).stdout
    assert not left, left


def test_a_password_in_auth_conf(world: World) -> None:
    """ilbers/isar#97: apt's auth.conf, which other programs do not read."""
    (world.tree.etc / "auth.conf").write_text(
        f"machine {world.mirror.url} login somebody password s3cret-of-the-tests\n")
    (world.tree.etc / "auth.conf").chmod(0o600)
    world.tree.fetched()
    assert authorised(world.mirror)


# --- The rest of the machine -------------------------------------------------------------------------

def test_a_curlrc(world: World) -> None:
    """npm/cli PR #2613, rvm PR #5148, hermit PR #603: a person's own settings of curl break every download."""
    (world.tree.home / ".curlrc").write_text('write-out = "%{http_code}"\ninclude\noutput = "/dev/null"\n')
    (world.tree.home / "curlrc").write_text("include\n")
    world.tree.fetched(CURL_HOME=str(world.tree.home), XDG_CONFIG_HOME=str(world.tree.home))
    assert world.all_there()


LANGUAGES = [{"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"}]


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_languages(world: World, language: dict[str, str]) -> None:
    """lindenb/makefile2graph#19: the output of programs is read in the language of the person."""
    moved_in_the_pool(world)
    world.tree.fetched(**language)
    assert world.all_there()


def test_a_machine_that_never_read_its_lists(world: World) -> None:
    """`apt-get indextargets` says nothing and ends well as long as there are no lists."""
    for path in sorted((world.folder / "apt-state" / "lists").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (world.folder / "apt-state" / "lists").rmdir()
    works(world)


def test_the_hosts_own_lists_stay_as_they_are(world: World) -> None:
    moved_in_the_pool(world)
    world.tree.fetched()
    assert not [path for path in (world.folder / "apt-state" / "lists").rglob("*") if path.is_file()]


def test_a_strict_mask(world: World) -> None:
    """LibreELEC#8549: umask 077 made files that others, such as apt's own user, cannot read."""
    moved_in_the_pool(world)
    result = world.tree.fetch("all", wrap=["sh", "-c", 'umask 077; exec "$@"', "sh"])
    assert result.code == 0, result.text
    assert world.all_there()


def test_output_that_nobody_reads(world: World) -> None:
    """make | head -1: no traceback, and what was fetched is sound."""
    result = world.tree.run("sh", "-c", "scripts/fetch all 2>&1 | head -c 1; :")
    assert "Traceback" not in result.text
    world.tree.check_cache()
    closed = world.tree.run("sh", "-c", "scripts/fetch all >&- 2>&-")
    assert closed.code == 0
    assert world.all_there()


def test_no_terminal_no_control_characters(world: World) -> None:
    text = world.tree.fetched().text
    assert not [character for character in text if character < " " and character != "\n"], text


# --- Clocks ------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preloaded library of the agent's tests, with which the clock is what a file says."""
    folder = tmp_path_factory.mktemp("clock")
    source = Path(__file__).resolve().parents[1] / "agent" / "shifted_clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", folder / "clock.so", source], check=True)
    return folder / "clock.so"


YEAR = 365 * 86400


@pytest.mark.parametrize("shift", [-2 * YEAR, -50 * YEAR, 10 * YEAR], ids=["behind", "1970s", "ahead"])
def test_a_clock_that_is_years_off(world: World, clock: Path, shift: int) -> None:
    """serversideup/docker-php#36, microsoft/WSL#4114: a pin needs no clock. A moved one needs the index, whose dates
    make no sense then: the message says what the clock says."""
    file = world.folder / "shift"
    file.write_bytes(shift.to_bytes(8, "little", signed=True))
    settings = {"LD_PRELOAD": str(clock), "CLOCK_SHIFT": str(file)}
    world.tree.fetched("alpha", **settings)
    assert all(world.tree.has(pin) for pin in world.alpha)
    world.archive.drop(world.beta)
    world.snapshot.fault("*", faults.status("404 Not Found"))
    world.archive.binary("beta", "20260101")
    world.publish()
    result = world.tree.fetch("beta", **settings)
    if result.code == 0:
        assert "MOVED PIN" in result.text
    else:
        assert "clock" in result.text, result.text
        assert world.beta.file in result.text and "Traceback" not in result.text
