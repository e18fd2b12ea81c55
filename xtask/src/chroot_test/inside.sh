#!/bin/sh
# Runs in mount and process namespaces of its own: whatever is mounted or started here is gone when it ends, and the
# machine's own mounts are never changed. Makes the folder the root, so that tests can mount and pivot as on a real machine.
#   inside.sh FOLDER TOOLCHAIN [NAME=VALUE …]
set -eu
root=$1
toolchain=$2
shift 2

mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/opt/rust" "$root/outside"
mount --bind "$toolchain" "$root/opt/rust"
mount -o remount,bind,ro "$root/opt/rust"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"

cd "$root"
pivot_root . outside
cd /
umount -l /outside
rmdir /outside

exec env -i HOME=/root LANG=C.UTF-8 CI=true \
    PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$@" bash /src/.ci/run </dev/null
