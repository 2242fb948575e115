#!/bin/sh
# Runs the test programs in the test bed and says how it went.
#
#   integration/vm/run.sh BINARY FOLDER [SELECTION]
#
# BINARY is the program under test, FOLDER where the disk is kept and everything else is put. SELECTION is a part of the
# names of test programs or, if no program is called so, of tests; `package` is the boot in which the Debian package is
# installed, and no test program. FOLDER/counts gets the numbers of passed, failed and
# skipped tests. Needs root.
set -eu

here=$(dirname "$(readlink -f "$0")")
binary=$(readlink -f "$1")
# Absolute, as debootstrap wants it.
folder=$(readlink -m "$2")
selection=${3:-}

mkdir -p "$folder"
rm -f "$folder/counts"
started=$(date +%s)
lap() {
    now=$(date +%s)
    echo "vm: $1 took $((now - started)) s"
    started=$now
}

"$here/image.sh" "$folder"
lap 'create the disk'
programs=
if [ "$selection" != package ]; then
    "$here/payload.sh" "$binary" "$folder/payload" "$selection"
    lap 'building the test programs'
    list=$here/guest/programs.list
    programs=$(sed '/^#/d' "$list" | grep -F -- "$selection" || sed '/^#/d' "$list")
fi
boots=
for boot in $(sed '/^#/d; s/ .*//' "$here/boots.list"); do
    ! printf '%s\n' "$programs" | awk '{ print $2 }' | grep -qw "$boot" || boots="$boots $boot"
done

# One boot with a payload, and a second one after a panic. FOLDER/BOOT.failed is left if it did not get to its end.
machine() {
    boot=$1
    payload=$2
    started=$(date +%s)
    results=$folder/$boot
    carried=$folder/payload.$boot
    rm -rf "$results" "$carried"
    touch "$results.failed"
    cp -Rl "$payload" "$carried"
    # Now and then QEMU 7.2 executes code of the kernel that another processor has just changed; the kernel then panics.
    # That says nothing about what is tested, once. The second boot goes on where the first one ended.
    for attempt in first second; do
        ended=0
        "$here/boot.sh" "$folder" "$carried" "$results" 3600 "$boot" || ended=$?
        lap "the $attempt boot of $boot"
        [ $ended = 3 ] || break
        [ ! -e "$results/results" ] || mv "$results/results" "$carried/earlier"
    done
    rm -rf "$carried"
    [ $ended != 0 ] || rm "$results.failed"
}

# Whether a boot runs beside the first one: a machine that starts, or that a test lets wait, leaves a processor free.
beside() { grep -q "^$1 .* beside " "$here/boots.list"; }

for boot in $boots; do
    beside "$boot" || continue
    machine "$boot" "$folder/payload" 2>&1 | sed -u "s/^vm: /vm: $boot: /" &
done
for boot in $boots; do
    beside "$boot" || machine "$boot" "$folder/payload"
done
wait
case $selection in
    '' | package)
        boots="$boots package"
        "$here/clean-image.sh" "$folder"
        "$here/../../packaging/package.sh" "$(dirname "$binary")" "$folder/packaged" >/dev/null
        cp "$here/guest/package" "$folder/packaged/suite"
        cp "$here/../../docs/start.md" "$here/../../docs/rootless.md" "$folder/packaged/"
        lap 'the package and a clean Debian'
        machine package "$folder/packaged"
        rm -rf "$folder/packaged"
        ;;
esac

status=0
passed=0 failed=0 skipped=0
for boot in $boots; do
    results=$folder/$boot
    [ ! -e "$results.failed" ] || { status=1; failed=$((failed + 1)); }
    [ -e "$results/summary" ] || continue

    while read -r _ _ good bad absent _; do
        passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + absent))
    done <"$results/summary"
    if [ -s "$results/failures" ]; then
        status=1
        cat "$results/failures"
    fi
    if [ -s "$results/skips" ]; then
        echo "vm: skipped in $boot:"
        sed 's/^/  /' "$results/skips"
    fi
done
rm -rf "$folder/payload"
echo "$passed $failed $skipped" >"$folder/counts"
if [ "$((passed + failed + skipped))" = 0 ]; then
    echo "vm: no test was run; is there one that is called '$selection'?" >&2
    status=1
fi
exit $status
