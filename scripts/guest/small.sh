# shellcheck shell=sh disable=SC2154
# The small guest: Debian's cloud kernel, busybox and dropbear. Sourced by mkguest.
linux=${SLICENODE_GUEST_LINUX:-$here/out/linux-cloud}
small_uuid=5eed0001-0000-4000-8000-000000000001
small_size_mib=128
small_modules=$(sed '/^#/d' "$here/hv/linux-cloud/modules.list")

build_small() {
    make_initrd "$work/initrd"
    make_root "$work/root"
    mkdir -p "$work/root/boot/grub" "$out"
    cp "$linux/vmlinuz" "$work/root/boot/vmlinuz"
    "$guest_files/pv-kernel" "$linux/vmlinuz" "$work/root/boot/vmlinux"
    cp "$work/initrd" "$work/root/boot/initrd"
    cp "$guest_files/small/grub.cfg" "$work/root/boot/grub/grub.cfg"
    finish_tree "$work/root"
    make_disk "$work/disk" "$small_size_mib" "$work/root" small-root "$small_uuid"
    cp "$linux/vmlinuz" "$out/small.vmlinuz"
    cp "$work/initrd" "$out/small.initrd"
    publish "$work/disk" small 19
}

build_noboot() {
    make_root "$work/root"
    finish_tree "$work/root"
    make_disk "$work/disk" "$small_size_mib" "$work/root" small-root "$small_uuid"
    publish "$work/disk" noboot 19
}

make_root() {
    mkdir -p "$1"
    for folder in bin dev etc/dropbear mnt proc root/.ssh run sbin sys tmp usr/bin usr/sbin var/lib; do
        mkdir -p "$1/$folder"
    done
    cp -r "$guest_files/small/root/." "$1/"
    chmod 700 "$1/root" "$1/root/.ssh"
    ln -s /run/resolv.conf "$1/etc/resolv.conf"
    install_busybox "$1"
    cp "$sysroot/sbin/dropbearmulti" "$1/usr/sbin/dropbearmulti"
    ln -s dropbearmulti "$1/usr/sbin/dropbear"
    ln -s ../sbin/dropbearmulti "$1/usr/bin/dropbearkey"
}

# busybox with all applets as links, and blkid, by which disks are found. What the kernel calls
# (poweroff, reboot) is in /sbin.
install_busybox() {
    busybox=$sysroot/bin/busybox
    cp "$busybox" "$1/bin/busybox"
    for applet in $("$busybox" --list | sort); do
        [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"
    done
    cp "$sysroot/sbin/blkid" "$1/sbin/blkid"
    for applet in init poweroff reboot halt; do
        ln -s ../bin/busybox "$1/sbin/$applet"
    done
}

make_initrd() {
    tree=$work/initrd-tree
    for folder in bin dev modules proc root sbin sys; do
        mkdir -p "$tree/$folder"
    done
    cp "$guest_files/small/initrd-init" "$tree/init"
    install_busybox "$tree"
    copy_modules "$tree/modules"
    finish_tree "$tree"
    (cd "$tree" && find . | sort | cpio --quiet --create --format=newc --reproducible --owner=0:0) |
        zstd -q -19 >"$1"
}

# The modules and what they need, unpacked, and `order` with their names in the order of loading.
copy_modules() {
    release=$(ls "$linux/modules/lib/modules")
    for module in $small_modules; do
        modprobe --dirname "$linux/modules" --set-version "$release" --show-depends "$module" ||
            die "the cloud kernel has no module $module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/modules"
    while read -r path; do
        name=${path##*/}
        case $name in
        *.xz) xz -dc "$path" >"$1/${name%.xz}" ;;
        *.zst) zstd -qdc "$path" >"$1/${name%.zst}" ;;
        *) cp "$path" "$1/$name" ;;
        esac
        echo "${name%.ko*}.ko" >>"$1/order"
    done <"$work/modules"
}

# Same times everywhere, for the same bytes every time.
finish_tree() {
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}
