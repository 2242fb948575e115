#!/bin/sh
# Prints what is linked into the program, as CycloneDX 1.5 in JSON: packaging/sbom.sh PROGRAM VERSION, in the repository.
#
# Crates are those that `cargo tree` reaches from the package by dependencies that are linked: neither those of tests and
# build scripts nor procedural macros, which run in the compiler. Beside them is what cargo does not know of.
set -eu
export LC_ALL=C

program=$1
version=$2
target=$(uname -m)-unknown-linux-musl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo tree --locked --package cofferdam --edges normal,no-proc-macro --target "$target" --prefix none --no-dedupe --format '{p}' |
    awk '{ print $1, substr($2, 2) }' | sort -u >"$work/linked"
cargo metadata --locked --format-version 1 --filter-platform "$target" >"$work/metadata"
# The checksums of crates.io.
awk -F '"' '/^name = / { name = $2 } /^version = / { version = $2 }
    /^checksum = / { print name, version, $2 }' Cargo.lock >"$work/checksums"
digest=$(sha256sum "$program" | cut -d ' ' -f 1)

jq --null-input --sort-keys \
    --slurpfile metadata "$work/metadata" --rawfile linked "$work/linked" --rawfile checksums "$work/checksums" \
    --arg version "$version" --arg digest "$digest" --arg time "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
    --arg rust "$(rustc --version | cut -d ' ' -f 2)" \
    --arg seccomp "$(dpkg-query -W -f '${Version}' libseccomp-dev)" '
    def reference: "pkg:cargo/\(.name)@\(.version)";
    ($metadata[0].packages | map({ key: .id, value: . }) | from_entries) as $packages
    | ($linked | split("\n") | map(select(. != "")) | map({ key: ., value: true }) | from_entries) as $linked
    | ($checksums | split("\n") | map(select(. != "") | split(" ") | { key: "\(.[0]) \(.[1])", value: .[2] }) | from_entries) as $sums
    | def is_linked: $linked["\(.name) \(.version)"] == true;
    [ $packages[] | select(is_linked) ] | sort_by(.name, .version) as $all
    | [ { type: "library", name: "libseccomp", version: $seccomp, purl: "pkg:deb/debian/libseccomp-dev@\($seccomp)",
          "bom-ref": "libseccomp", licenses: [ { expression: "LGPL-2.1-only" } ] },
        { type: "library", name: "musl", description: "the C library that comes with the Rust target",
          "bom-ref": "musl", licenses: [ { expression: "MIT" } ] },
        { type: "library", name: "rust-std", version: $rust, "bom-ref": "rust-std",
          licenses: [ { expression: "MIT OR Apache-2.0" } ] } ] as $others
    | {
        bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
        serialNumber: ("urn:uuid:" + ([$digest[0:8], $digest[8:12], "5" + $digest[13:16], "8" + $digest[17:20], $digest[20:32]] | join("-"))),
        metadata: {
            timestamp: $time,
            component: { type: "application", name: "cofferdam", version: $version, "bom-ref": "cofferdam",
                hashes: [ { alg: "SHA-256", content: $digest } ], licenses: [ { expression: "Apache-2.0" } ] }
        },
        components: ($others + [ $all[] | {
            type: "library", name, version, "bom-ref": reference, purl: reference,
            licenses: (if .license then [ { expression: (.license | gsub("/"; " OR ")) } ] else [] end)
        } + (if $sums["\(.name) \(.version)"] then { hashes: [ { alg: "SHA-256", content: $sums["\(.name) \(.version)"] } ] } else {} end) ]),
        dependencies: ([ { ref: "cofferdam", dependsOn: (["libseccomp", "musl", "rust-std"] +
                [ $all[] | select(.name == "cofferdam") | reference ]) } ] +
            [ $metadata[0].resolve.nodes[] | . as $node | $packages[.id] | select(is_linked) | {
                ref: reference,
                dependsOn: ([ $node.deps[] | select(any(.dep_kinds[]; .kind == null)) | $packages[.pkg] | select(is_linked) | reference ] | unique)
            } ] | sort_by(.ref))
    }'
