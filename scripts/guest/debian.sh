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

build_debian() {
    key=$(cat "$here/scripts/mkguest" "$guest_files/debian.sh" "$guest_files/pv-kernel" "$guest_files"/debian/* | sha256sum)
    kept=$cache/guest/debian-${key%% *}.raw.zst
    if [ ! -f "$kept" ]; then
        command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap"
        make_debian_tree
        make_debian_disk
        publish "$work/disk" debian 9
        mkdir -p "$cache/guest"
        cp "$out/debian.raw.zst" "$kept.part.$$"
        mv "$kept.part.$$" "$kept"
        return
    fi
    mkdir -p "$out"
    cmp -s "$kept" "$out/debian.raw.zst" || cp "$kept" "$out/debian.raw.zst"
    (cd "$out" && sha256sum debian.raw.zst >debian.raw.zst.sha256)
}

# A tar file, since only that has right owners in every mode of mmdebstrap. The guest's package
# sources are the host's until cloud-init writes the distribution's own at first boot. The database of
# the world's hardware would be 24 MB in the root and 13 more in the RAM disk, and a slice has none of it.
make_debian_tree() {
    sources=$("$here/scripts/fetch" sources)
    mode=$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)
    # shellcheck disable=SC2016,SC2086
    grep '^deb ' "$sources" | mmdebstrap --quiet --mode="$mode" --variant=minbase --format=tar \
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
        "$suite" "$work/tree.tar" - || die "mmdebstrap failed"
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
