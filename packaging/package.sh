#!/bin/sh
# Makes the Debian package, the archive for other systems and the list of what is in the program (CycloneDX).
#
#   packaging/package.sh PROGRAMS FOLDER
#
# PROGRAMS is the folder of the static programs, FOLDER gets the results and is emptied before. The same commit gives the same
# bytes: times are SOURCE_DATE_EPOCH or the time of the commit, owners are root, files are sorted.
set -eu
umask 022
export LC_ALL=C TZ=UTC

programs=$(readlink -f "$1")
mkdir -p "$2"
folder=$(readlink -f "$2")
cd "$(dirname "$0")/.."
rm -rf "${folder:?}"/*

: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
# Debian wants an address; this one is of nobody (RFC 2606).
maintainer="$(sed -n 's/^authors = \["\(.*\)"\]$/\1/p' Cargo.toml | head -n 1) <cofferdam@package.invalid>"
homepage=$(sed -n 's/^homepage = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
architecture=$(dpkg --print-architecture)
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

# What both have: programs, manual pages, completions, examples, below the folder $1.
common() {
    install -d "$1/bin" "$1/share/man/man1" "$1/share/bash-completion/completions" \
        "$1/share/zsh/$2" "$1/share/fish/vendor_completions.d" "$1/share/doc/cofferdam/examples"
    install -m 755 "$programs/cofferdam" "$programs/nsinit" "$1/bin/"
    install -m 644 docs/man/*.1 "$1/share/man/man1/"
    gzip -9n "$1"/share/man/man1/*.1
    install -m 644 docs/completions/bash/* "$1/share/bash-completion/completions/"
    install -m 644 docs/completions/zsh/* "$1/share/zsh/$2/"
    install -m 644 docs/completions/fish/* "$1/share/fish/vendor_completions.d/"
    cp -r packaging/examples/. "$1/share/doc/cofferdam/examples/"
    find "$1/share/doc/cofferdam/examples" -type f -exec chmod 644 {} +
    install -m 644 "$folder/cofferdam.cdx.json" "$1/share/doc/cofferdam/"
    # The program is at another place.
    find "$1/share/doc/cofferdam/examples" -type f -exec sed -i "s|/usr/bin/cofferdam|$3|" {} +
}

debian() {
    root=$staging/deb
    common "$root/usr" vendor-completions /usr/bin/cofferdam
    doc=$root/usr/share/doc/cofferdam
    install -m 644 packaging/copyright "$doc/copyright"
    {
        printf 'cofferdam (%s) unstable; urgency=medium\n\n' "$version"
        printf '  * See /usr/share/doc/cofferdam/CHANGELOG.md.gz for what is in it.\n\n'
        printf ' -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
    } | gzip -9n >"$doc/changelog.gz"
    gzip -9nc CHANGELOG.md >"$doc/CHANGELOG.md.gz"
    install -d "$root/usr/share/lintian/overrides" "$root/DEBIAN"
    install -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/cofferdam"
    chmod 644 "$doc"/*.gz
    sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s|@MAINTAINER@|$maintainer|" \
        -e "s|@HOMEPAGE@|$homepage|" \
        -e "s/@SIZE@/$(find "$root/usr" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')/" \
        packaging/control >"$root/DEBIAN/control"
    (cd "$root" && find usr -type f | sort | xargs md5sum) >"$root/DEBIAN/md5sums"
    chmod 644 "$root"/DEBIAN/*
    dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" \
        "$folder/cofferdam_${version}_$architecture.deb" >/dev/null
}

archive() {
    name=cofferdam-$version-$(uname -m)-linux
    common "$staging/$name" site-functions /usr/local/bin/cofferdam
    install -m 644 LICENSE README.md CHANGELOG.md "$staging/$name/share/doc/cofferdam/"
    tar -C "$staging" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
        -cf - "$name" | gzip -9n >"$folder/$name.tar.gz"
}

packaging/sbom.sh "$programs/cofferdam" "$version" >"$folder/cofferdam.cdx.json"
debian
archive
(cd "$folder" && sha256sum -- *.deb *.tar.gz *.json) >"$staging/SHA256SUMS"
install -m 644 "$staging/SHA256SUMS" "$folder/"
cat "$folder/SHA256SUMS"
