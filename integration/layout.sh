#!/bin/sh
# layout.sh STEPPER LIST PROGRAM: executes by the stepper what engines call, and lists the functions.
set -eu
stepper=$1 list=$2 program=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/bundle/rootfs/bin"
cp /bin/busybox "$folder/bundle/rootfs/bin/sh"
ln -s sh "$folder/bundle/rootfs/bin/sleep"
ln -s sh "$folder/bundle/rootfs/bin/true"
"$program" spec --bundle "$folder/bundle"
config=$folder/bundle/config.json
sed -i 's/"terminal": true/"terminal": false/' "$config"

step() {
    "$stepper" "$list" "$program" --root "$folder/state" "$@" </dev/null
}

sed -i 's|"sh"|"/bin/true"|' "$config"
step run --bundle "$folder/bundle" whole
sed -i 's|"/bin/true"|"/bin/sleep", "1000"|' "$config"
step create --bundle "$folder/bundle" --pid-file "$folder/pid" engine
step state engine
step start engine
step exec engine /bin/true
step kill engine KILL
step delete --force engine
