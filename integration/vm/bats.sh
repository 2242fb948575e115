#!/bin/sh
# Runs those files of runc's own test suite that are about cgroups and checkpoints in the test bed, with the program under
# test and with Debian's runc, with both cgroup drivers, and compares.
#
#   integration/vm/bats.sh BINARY FOLDER CHECKOUT [FILE]…
#
# BINARY is the program under test, FOLDER that of image.sh. CHECKOUT is a checkout of runc after its `make test-binaries`
# and `tests/integration/get-images.sh`: the suite is not part of this repository, and the guest has no network. FILE is the
# name of a file of the suite without `.bats`. Fails if a title fails with BINARY and passes with runc. FOLDER/bats-DRIVER
# gets what bats said. Needs root.
set -eu

here=$(dirname "$(readlink -f "$0")")
binary=$(readlink -f "$1")
folder=$(readlink -m "$2")
checkout=$(readlink -f "$3")
shift 3
[ $# -gt 0 ] || set -- cgroups cgroup_delegation update events dev delete pause cpu_affinity checkpoint

for needed in integration/helpers.bash cmd/_bin/recvtty cmd/_bin/sd-helper; do
    [ -e "$checkout/tests/$needed" ] || { echo "bats: $checkout has no tests/$needed" >&2; exit 1; }
done
for file; do
    [ -e "$checkout/tests/integration/$file.bats" ] || { echo "bats: the suite has no $file.bats" >&2; exit 1; }
done
mkdir -p "$folder"
"$here/image.sh" "$folder"

payload=$folder/bats-payload
rm -rf "$payload"
mkdir -p "$payload/runc/tests/cmd" "$payload/compiled"
cp "$binary" "$payload/cofferdam"
cp "$here/guest/bats" "$payload/suite"
cp -R "$checkout/tests/cmd/_bin" "$payload/runc/tests/cmd/"
cp -R "$checkout/tests/integration" "$payload/runc/tests/"
# The guest has no compiler.
gcc -static -o "$payload/compiled/dev_access_test" "$checkout/tests/integration/testdata/dev_access_test.c"
echo "$*" >"$payload/files"

# One guest for each driver, at the same time: a guest that runs bats keeps one processor busy.
drivers='cgroupfs systemd'
for driver in $drivers; do
    cp -R "$payload" "$payload-$driver"
    echo "$driver" >"$payload-$driver/driver"
    "$here/boot.sh" "$folder" "$payload-$driver" "$folder/bats-$driver" 10800 apparmor &
done
wait
rm -rf "$payload" "$payload"-*

status=0
for driver in $drivers; do
    results=$folder/bats-$driver
    [ -s "$results/cofferdam" ] && [ -s "$results/runc" ] || { echo "bats: no results with $driver" >&2; exit 1; }
    awk -v driver="$driver" -f "$here/compare.awk" "$results/runc" "$results/cofferdam" || status=1
done
exit $status
