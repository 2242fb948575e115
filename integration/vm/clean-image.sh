#!/bin/sh
# Builds the disk of the boot `package` from Debian packages: Debian 12 as its installer leaves it, as far as it matters here,
# with busybox for a root file system, and nothing of ours but the unit that starts what the payload brings.
#
#   integration/vm/clean-image.sh FOLDER
#
# Leaves FOLDER/package.ext4, and FOLDER/package.recipe, which says what it was made from: while it is the same, nothing is done.
# Who comes while another one makes it waits for that. Its kernel is one of image.sh. Needs root, debootstrap and e2fsprogs.
set -eu

here=$(dirname "$(readlink -f "$0")")
folder=$1
packages=systemd-sysv,udev,dbus,procps,busybox-static,man-db,bash-completion

mkdir -p "$folder/packages.clean"
# For as long as this script runs: what it calls does not have the descriptor.
exec 9>"$folder/package.lock"
flock 9
recipe=$(cat "$here/clean-image.sh" "$here"/guest/*.service | sha256sum | cut -d ' ' -f 1)
[ "$(cat "$folder/package.recipe" 2>/dev/null)" != "$recipe" ] || exit 0

echo 'vm: building the disk of a clean Debian 12'
root=$folder/root.clean
rm -rf "$root" "$folder/package.recipe" "$folder/package.ext4"
debootstrap --variant=minbase --cache-dir="$folder/packages.clean" --include="$packages" bookworm "$root" \
    >"$folder/package.log" 2>&1 9>&- || {
    tail -n 20 "$folder/package.log" >&2
    echo "vm: debootstrap failed, see $folder/package.log" >&2
    exit 1
}
cat >"$root/etc/fstab" <<'TEXT'
/dev/vda / ext4 rw 0 1
/dev/vdb /payload ext4 ro 0 0
TEXT
mkdir -p "$root/payload"
units=$root/etc/systemd/system
cp "$here/guest/cofferdam-tests.service" "$units/"
mkdir -p "$units/multi-user.target.wants"
ln -sf ../cofferdam-tests.service "$units/multi-user.target.wants/"
# The unit owns the serial line, and nothing that runs by the clock comes between.
ln -sf /dev/null "$units/serial-getty@ttyS0.service"
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim man-db; do
    ln -sf /dev/null "$units/$timer.timer"
done
# What takes long where the processor is emulated and says nothing of a package: dpkg waits for the disk, and all manual pages
# are read again whenever some of them come or go.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/fast"
rm -f "$root/var/lib/man-db/auto-update"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
truncate -s 1G "$folder/package.ext4"
mke2fs -q -t ext4 -d "$root" "$folder/package.ext4"
rm -rf "$root"
echo "$recipe" >"$folder/package.recipe"
