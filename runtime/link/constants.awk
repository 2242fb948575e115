# constants.awk ORDER -: from the functions that ORDER lists and the relocations of an object (readelf --relocs --wide), a
# linker script that places the constants which those functions refer to, directly and by way of other constants,
# side by side. Constants have no names that another build would have, too, so they are found and not listed.
FILENAME != "-" { rank[$1] = ++functions; next }
/^Relocation section / {
    section = $3
    sub(/^'\.rela/, "", section)
    sub(/'$/, "", section)
    function_of = section
    sub(/^\.text\.(unlikely\.|hot\.)?/, "", function_of)
    if (function_of != section && function_of in rank) by_rank[rank[function_of]] = section
    next
}
$3 ~ /^R_/ && $5 ~ /^\.rodata/ { targets[section] = targets[section] " " $5 }

function place(section,    names, count, i) {
    count = split(targets[section], names, " ")
    for (i = 1; i <= count; i++) {
        if (names[i] in placed) continue
        placed[names[i]] = 1
        print "*(" names[i] ")"
        place(names[i])
    }
}

END {
    print "SECTIONS { .rodata.hot : {"
    for (i = 1; i <= functions; i++) if (i in by_rank) place(by_rank[i])
    print "} } INSERT BEFORE .rodata;"
}
