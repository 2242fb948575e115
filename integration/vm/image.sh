#!/bin/sh
# Builds the disk of the test bed from Debian packages: systemd, every cgroup v2 controller, AppArmor, SELinux with a
# policy and labels, Debian's runtimes, a user who may run containers without root, and an older kernel for cgroup v1.
#
#   integration/vm/image.sh FOLDER
#
# Leaves FOLDER/disk.ext4, of each of two kernels FOLDER/vmlinuz.KERNEL and FOLDER/initrd.KERNEL, and FOLDER/recipe, which
# says what they were made from: while it is the same, nothing is done. Who comes while another one makes it waits for that.
# Needs root, debootstrap and e2fsprogs. Nothing stays mounted: mke2fs fills the disk from a folder, extended attributes
# included.
set -eu

here=$(dirname "$(readlink -f "$0")")
folder=$1
release=trixie
# Its kernel is the last of Debian's with all of cgroup v1: later ones have no memory and no cpuset there.
older=bookworm
packages=$(sed 's/#.*//' "$here/packages" | tr -s ' \n' ',,' | sed 's/^,//; s/,$//')

mkdir -p "$folder"
# For as long as this script runs: what it calls does not have the descriptor.
exec 9>"$folder/lock"
flock 9

recipe=$(cat "$here/image.sh" "$here/packages" "$here"/guest/*.service | sha256sum | cut -d ' ' -f 1)
[ "$(cat "$folder/recipe" 2>/dev/null)" != "$recipe" ] || exit 0

echo "vm: building the disk from Debian $release"
mkdir -p "$folder/packages"
root=$folder/root
rm -rf "$root" "$folder/recipe" "$folder/disk.ext4"
# Packages are kept: a change of the recipe does not fetch them again.
debootstrap --variant=minbase --cache-dir="$folder/packages" --include="$packages" "$release" "$root" \
    >"$folder/image.log" 2>&1 9>&- || {
    tail -n 20 "$folder/image.log" >&2
    tail -n 20 "$root/debootstrap/debootstrap.log" >&2 || true
    echo "vm: debootstrap failed, see $folder/image.log" >&2
    exit 1
}

echo "deb http://deb.debian.org/debian $older main" >"$root/etc/apt/sources.list.d/older.list"
# shellcheck disable=SC2016
unshare --mount --pid --fork --mount-proc="$root/proc" env DEBIAN_FRONTEND=noninteractive chroot "$root" sh -ec '
    apt-get -q update
    apt-get -q install --yes --allow-downgrades --no-install-recommends "linux-image-cloud-amd64/$0"
' "$older" >>"$folder/image.log" 2>&1 9>&- || {
    tail -n 20 "$folder/image.log" >&2
    echo "vm: installing the older kernel failed, see $folder/image.log" >&2
    exit 1
}

cat >"$root/etc/fstab" <<'TEXT'
/dev/vda / ext4 rw 0 1
/dev/vdb /payload ext4 ro 0 0
TEXT
mkdir -p "$root/payload"
echo cofferdam >"$root/etc/hostname"
echo '127.0.0.1 localhost cofferdam' >"$root/etc/hosts"

units=$root/etc/systemd/system
cp "$here"/guest/cofferdam-tests.service "$units/"
mkdir -p "$units/multi-user.target.wants"
ln -sf ../cofferdam-tests.service "$units/multi-user.target.wants/"
# The tests own the serial line; a login prompt would share it.
ln -sf /dev/null "$units/serial-getty@ttyS0.service"
# Nothing that runs by the clock comes between.
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim man-db podman-auto-update; do
    ln -sf /dev/null "$units/$timer.timer"
done

# The ordinary user: the manager of its units runs without a login and may hand out every controller.
chroot "$root" useradd --create-home --shell /bin/sh --uid 1000 tester
echo tester:100000:65536 | tee "$root/etc/subuid" >"$root/etc/subgid"
mkdir -p "$root/var/lib/systemd/linger" "$units/user@.service.d"
touch "$root/var/lib/systemd/linger/tester"
printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >"$units/user@.service.d/delegate.conf"

# Profiles of programs that are not installed would only be compiled at each boot.
find "$root/etc/apparmor.d" -maxdepth 1 -type f ! -name runc ! -name crun ! -name podman ! -name busybox -delete

# SELinux has its labels from the beginning: no boot is spent on relabelling. The kernel's command line says whether it
# is on at all.
printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' >"$root/etc/selinux/config"
chroot "$root" setfiles -F -q -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts / \
    >>"$folder/image.log" 2>&1 || {
    echo "vm: labelling failed, see $folder/image.log" >&2
    exit 1
}

for file in vmlinuz initrd.img; do
    find "$root/boot" -name "$file-*" | sort -V | {
        read -r first
        read -r second
        mv "$first" "$folder/${file%.img}.older"
        mv "$second" "$folder/${file%.img}.current"
    }
done
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists
truncate -s 3G "$folder/disk.ext4"
mke2fs -q -t ext4 -d "$root" "$folder/disk.ext4"
rm -rf "$root"
echo "$recipe" >"$folder/recipe"
