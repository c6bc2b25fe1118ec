#!/bin/busybox sh
# First program of the guest: mounts the data disk and runs the writer on it. What the kernel command line says after
# `writer=` are the writer's arguments, commas for spaces.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
for module in virtio_pci virtio_blk virtio_console ext4; do
    modprobe "$module" 2>/dev/null
done
# The console is there some time before it can be opened.
until [ -b /dev/vda ] && [ -c /dev/hvc0 ] && (: >/dev/hvc0) 2>/dev/null; do :; done
exec </dev/null >/dev/hvc0 2>&1
stty -onlcr -echo </dev/hvc0
echo mounting
if mount -t ext4 /dev/vda /data; then
    arguments=$(sed -n 's/.*writer=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' ')
    # shellcheck disable=SC2086
    powercut-writer /data/store $arguments
    echo "exit $?"
    umount /data && echo unmounted
else
    echo "mount failed"
    dmesg | tail -n 20
fi
poweroff -f
