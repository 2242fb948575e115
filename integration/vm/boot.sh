#!/bin/sh
# Boots the disk of image.sh with a payload disk, shows what the guest says, and leaves its results in a folder.
# The exit code is 3 if the guest's kernel panicked; RESULTS.panic has what it said before, and RESULTS/results what the guest
# had written by then, if anything.
#
#   integration/vm/boot.sh FOLDER PAYLOAD RESULTS SECONDS BOOT
#
# FOLDER is that of image.sh, PAYLOAD has the program `suite` that the guest runs, as that of payload.sh has. RESULTS gets
# what guest/suite describes, and `console`, all that was seen on the serial line. BOOT is one of boots.list. Fails if the
# guest did not get to its end within SECONDS. Emulated in software, on any machine: about ten times slower than the host.
# The disk is a snapshot, nothing is kept of what the guest does to it.
set -eu

here=$(dirname "$(readlink -f "$0")")
folder=$1
payload=$2
results=$3
limit=$4
boot=$5

line=$(grep "^$boot " "$here/boots.list") || { echo "vm: no boot is called $boot" >&2; exit 1; }
read -r _ kernel _ parameters <<TEXT
$line
TEXT

rm -rf "$results"
mkdir -p "$results"
# A boot may have a disk of its own.
disk=$folder/$boot.ext4
[ -e "$disk" ] || disk=$folder/disk.ext4
carry=$results/payload.ext4
answer=$results/results.tar
truncate -s 512M "$carry" "$answer"
mke2fs -q -t ext4 -d "$payload" "$carry"

# cx16=off: QEMU 7.2 emulates cmpxchg16b wrongly. The rest makes emulation faster: page tables of four levels, no switch
# of address space protection at each copy to or from a process, and a kernel without what works around faults of real
# processors (its indirect jumps are emulated slowly) and without clearing of pages that are about to be written.
timeout "$limit" qemu-system-x86_64 \
    -accel tcg,thread=multi -cpu max,cx16=off,la57=off,smap=off,smep=off -smp 2 -m 4096 \
    -nographic -no-reboot -nic none \
    -kernel "$folder/vmlinuz.$kernel" -initrd "$folder/initrd.$kernel" \
    -append "console=ttyS0 root=/dev/vda rw quiet panic=-1 mitigations=off init_on_alloc=0 cofferdam.boot=$boot $parameters" \
    -drive "file=$disk,if=virtio,format=raw,snapshot=on" \
    -drive "file=$carry,if=virtio,format=raw,readonly=on" \
    -drive "file=$answer,if=virtio,format=raw" \
    </dev/null 2>&1 | tee "$results/console" | grep --line-buffered -v 'kvm:' | grep --line-buffered -o 'vm: .*' || true
rm -f "$carry"

# One that panics when it powers itself off has done its work.
if grep -q 'Kernel panic' "$results/console" && ! tar -tf "$answer" ./done >/dev/null 2>&1; then
    # The next boot writes its own.
    grep -B 60 'Kernel panic' "$results/console" | tee "$results.panic" >&2
    mkdir "$results/results"
    tar -C "$results/results" -xf "$answer" || rm -rf "$results/results"
    exit 3
fi
# What it had written by then. The console is no proof: lines are lost when systemd resets the terminal.
if ! tar -C "$results" -xf "$answer" || [ ! -e "$results/done" ]; then
    tail -n 40 "$results/console" >&2
    echo "vm: the guest did not get to its end within $limit seconds, see $results/console" >&2
    exit 1
fi
rm -f "$answer"
