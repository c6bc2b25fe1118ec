#!/usr/bin/env bash
# Puts together what the guest of the power-cut campaign is made of: QEMU, a kernel, a root file system in memory.
#
#   guest.sh FOLDER WRITER
#
# FOLDER receives `qemu` (a script that starts the emulator), `vmlinuz` and `initramfs`. WRITER is the program the
# guest runs, linked statically. The packages come from Debian through apt, are unpacked into FOLDER and installed
# nowhere, so this needs no root and leaves the machine as it was. A second call only packs the writer again.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
writer=$2

say() { printf 'power-cuts: %s\n' "$*"; }
fail() {
    printf 'power-cuts: %s\n' "$@" >&2
    exit 1
}

[[ $(uname -m) == x86_64 ]] || fail "this machine is $(uname -m); the guest is an x86-64 one"

# fetch NAME PACKAGE...: unpacks the packages into FOLDER/NAME.
fetch() {
    local target="$folder/$1" work
    shift
    work=$(mktemp -d "$folder/fetch.XXXXXX")
    chmod a+rx "$work"
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$@") ||
        fail "apt-get could not download: $*" "it needs package lists (apt-get update) and a network"
    rm -rf "$target"
    mkdir "$work/root"
    for package in "$work"/*.deb; do
        dpkg-deb --extract "$package" "$work/root"
    done
    mv "$work/root" "$target"
    rm -rf "$work"
}

# QEMU ------------------------------------------------------------------------------------------------------------

# Prints the names of the packages that QEMU needs and this machine lacks.
qemu_packages() {
    apt-get -qq --print-uris --yes --no-install-recommends install qemu-system-x86 |
        cut -d ' ' -f 2 | cut -d _ -f 1
}

if [[ ! -x $folder/qemu ]]; then
    if command -v qemu-system-x86_64 >/dev/null; then
        ln -sf "$(command -v qemu-system-x86_64)" "$folder/qemu"
    else
        mapfile -t packages < <(qemu_packages)
        [[ ${#packages[@]} -gt 0 ]] || fail "apt-get does not know qemu-system-x86"
        say "fetching QEMU (${#packages[@]} Debian packages)"
        fetch qemu-root "${packages[@]}"
        cat >"$folder/qemu.new" <<SCRIPT
#!/bin/sh
root=$folder/qemu-root
# exec: the campaign kills the process it started.
LD_LIBRARY_PATH=\$root/usr/lib/x86_64-linux-gnu:\$root/lib/x86_64-linux-gnu exec "\$root/usr/bin/qemu-system-x86_64" \\
    -L "\$root/usr/share/qemu" -L "\$root/usr/share/seabios" -L "\$root/usr/lib/ipxe/qemu" "\$@"
SCRIPT
        chmod +x "$folder/qemu.new"
        mv "$folder/qemu.new" "$folder/qemu"
    fi
fi

# Kernel and tools --------------------------------------------------------------------------------------------------

if [[ ! -e $folder/vmlinuz ]]; then
    kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
    [[ -n $kernel ]] || fail "apt does not know linux-image-cloud-amd64; the guest's kernel is Debian's"
    say "fetching $kernel and busybox-static"
    fetch kernel-root "$kernel"
    fetch busybox-root busybox-static
    cp "$folder"/kernel-root/boot/vmlinuz-* "$folder/vmlinuz"
fi

# Root file system --------------------------------------------------------------------------------------------------

busybox=$folder/busybox-root/bin/busybox
release=$(basename "$folder"/kernel-root/lib/modules/*)
root=$(mktemp -d "$folder/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,tmp,data,"lib/modules/$release"}
cp "$busybox" "$root/bin/busybox"
cp "$here/init.sh" "$root/init"
cp "$writer" "$root/bin/powercut-writer"
chmod +x "$root/init" "$root/bin/powercut-writer"
modules=$folder/kernel-root/lib/modules/$release
# Drivers of the virtual disk and console, the file system, and what these stand on.
for part in drivers/virtio drivers/block/virtio_blk.ko drivers/char/virtio_console.ko fs/ext4 fs/jbd2 fs/mbcache.ko \
    lib arch/x86/crypto crypto; do
    [[ -e $modules/kernel/$part ]] || continue
    mkdir -p "$root/lib/modules/$release/kernel/$(dirname "$part")"
    cp -r "$modules/kernel/$part" "$root/lib/modules/$release/kernel/$part"
done
cp "$modules"/modules.{order,builtin} "$root/lib/modules/$release/"
"$busybox" depmod -b "$root" "$release"
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$folder/initramfs.new"
mv "$folder/initramfs.new" "$folder/initramfs"
echo "$release" >"$folder/release"
