#!/bin/sh
# Gathers what a boot of the test bed carries: the program under test and the test programs of the workspace.
#
#   integration/vm/payload.sh BINARY FOLDER [SELECTION]
#
# FOLDER gets `cofferdam`, `nsinit` from beside BINARY, `suite` with what it uses, and `programs/CRATE.TARGET` for every program
# of programs.list. They are this machine's, linked to its C library: the one in the test bed is younger and runs them.
set -eu

here=$(dirname "$(readlink -f "$0")")
binary=$1
folder=$2
selection=${3:-}

rm -rf "$folder"
mkdir -p "$folder/programs"
cp "$binary" "$folder/cofferdam"
cp "$(dirname "$binary")/nsinit" "$folder/nsinit"
cp "$here"/guest/suite "$here"/guest/each "$here"/guest/*.list "$folder/"
echo "$selection" >"$folder/selection"

# Cargo prints a line of JSON for every program that it has built.
cargo test --locked --workspace --all-features --no-run --quiet --message-format json >"$folder/messages"
grep '"test":true},"features"' "$folder/messages" |
    sed -n 's|.*/\([a-z]*\)#.*"kind":\["\([a-z]*\)"\].*"name":"\([^"]*\)".*"executable":"\([^"]*\)".*|\1 \2 \3 \4|p' |
    while read -r crate kind name program; do
        case $kind in lib) name=lib ;; test) ;; *) continue ;; esac
        grep -q "^$crate\.$name " "$here/guest/programs.list" || continue
        # Without debug information: a tenth of the size.
        strip -o "$folder/programs/$crate.$name" "$program"
    done
rm "$folder/messages"

for program in $(sed '/^#/d; s/ .*//' "$here/guest/programs.list"); do
    [ -e "$folder/programs/$program" ] || { echo "vm: no test program is called $program" >&2; exit 1; }
done
