# shellcheck shell=sh disable=SC2154
# The Debian guest: what a provider offers as "Debian". Sourced by mkguest.
suite=trixie
debian_uuid=5eed0002-0000-4000-8000-000000000002
debian_size_mib=2048

# The kernel for guests, an init, SSH, cloud-init and what it calls, and what an administrator misses at once.
packages='
    linux-image-cloud-amd64 initramfs-tools zstd
    systemd-sysv systemd-resolved systemd-timesyncd dbus udev kmod
    openssh-server cloud-init cloud-guest-utils fdisk e2fsprogs
    apt ca-certificates sudo procps iproute2 iputils-ping netbase less nano'

# The files that the packages are pinned to, by name: `kind file path` (scripts/fetch).
debian_packages() {
    "$here/scripts/fetch" --files guest-debian || die "the Debian guest's packages could not be fetched"
}

build_debian() {
    debian_packages >"$work/packages"
    key=$({
        cat "$here/scripts/mkguest" "$guest_files/debian.sh" "$guest_files/pv-kernel"
        "$here/scripts/version" --epoch
        find "$guest_files/debian" -type f ! -name pins -exec cat {} +
        sed 's,[^ ]*/,,' "$work/packages"
    } | sha256sum)
    kept=$cache/guest/debian-${key%% *}.raw.zst
    if [ ! -f "$kept" ]; then
        command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap"
        make_archive "$work/archive"
        make_debian_tree
        make_debian_disk
        publish "$work/disk" debian 9
        if mkdir -p "$cache/guest" 2>/dev/null && cp "$out/debian.raw.zst" "$kept.part.$$"; then
            mv "$kept.part.$$" "$kept"
        else
            echo "mkguest: the cache $cache cannot be written: the next build makes this guest again" >&2
        fi
        return
    fi
    mkdir -p "$out"
    cmp -s "$kept" "$out/debian.raw.zst" || cp "$kept" "$out/debian.raw.zst"
    touch "$out/debian.raw.zst"
    (cd "$out" && sha256sum debian.raw.zst >debian.raw.zst.sha256)
}

# An archive of the pinned packages alone, for apt to install from: their hashes were checked when they were fetched.
make_archive() { # FOLDER
    index=$1/dists/$suite/main/binary-amd64
    mkdir -p "$index" "$1/pool"
    while read -r _ file path; do cp --reflink=auto "$path" "$1/pool/$file"; done <"$work/packages"
    (cd "$1" && dpkg-scanpackages --multiversion pool 2>"$work/scan.log") >"$index/Packages" ||
        die "dpkg-scanpackages: $(tail -n 1 "$work/scan.log")"
    {
        printf '%s\n' "Origin: Slicenode" "Suite: $suite" "Codename: $suite" "Components: main" "Architectures: amd64" \
            "Date: $(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S UTC')" "SHA256:"
        echo " $(sha256sum <"$index/Packages" | cut -d' ' -f1) $(stat -c %s "$index/Packages") main/binary-amd64/Packages"
    } >"$1/dists/$suite/Release"
    # mmdebstrap's apt may run as another user.
    chmod -R a+rX "$1" "$work"
}

# A tar file, since only that has right owners in every mode of mmdebstrap. cloud-init writes the distribution's package sources at
# the first boot. The database of the world's hardware would be 24 MB in the root and 13 more in the RAM disk, and a slice has none
# of it.
make_debian_tree() {
    mode=$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)
    # shellcheck disable=SC2016,SC2086
    mmdebstrap --quiet --mode="$mode" --variant=minbase --format=tar \
        --include="$(echo $packages | tr ' ' ,)" \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/i18n/*' \
        --dpkgopt='path-exclude=/usr/lib/udev/hwdb.d/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --setup-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
        --setup-hook="copy-in '$guest_files/debian/initramfs.conf' /etc/initramfs-tools/conf.d" \
        --setup-hook="copy-in '$guest_files/debian/modules' /etc/initramfs-tools" \
        --customize-hook="'$guest_files/debian/customize' \"\$1\" $debian_uuid '$guest_files/debian'" \
        "$suite" "$work/tree.tar" "deb [trusted=yes] copy:$work/archive $suite main" || die "mmdebstrap failed"
}

make_debian_disk() {
    mkdir "$work/tree"
    # Outside a user namespace of our own the files could not belong to root.
    as_root=$([ "$(id -u)" -eq 0 ] || echo "unshare --map-root-user --map-auto")
    $as_root tar --extract --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*' \
        --directory "$work/tree" --file "$work/tree.tar"
    rm "$work/tree.tar"
    make_disk "$work/disk" "$debian_size_mib" "$work/tree" debian-root "$debian_uuid" "$as_root"
    $as_root rm -rf "$work/tree"
}
