# Compares what bats said in TAP of the same titles with two runtimes: runc first, then the program under test.
#
#   awk -v driver=NAME -f compare.awk RUNC OURS
#
# Prints counts, the titles that failed or were skipped and, last, those that fail with ours and pass with runc; fails if
# there are such.

# `ok NUMBER TITLE [# skip REASON]` or `not ok NUMBER TITLE`; the number distinguishes titles of the same name.
/^(not )?ok [0-9]/ {
    runtime = FILENAME ~ /runc$/ ? "runc" : "ours"
    verdict = /^not / ? "failed" : / # skip/ ? "skipped" : "passed"
    sub(/^(not )?ok /, "")
    reason = ""
    if (match($0, / # skip/)) {
        reason = substr($0, RSTART + 7)
        $0 = substr($0, 1, RSTART - 1)
    }
    sub(/ in [0-9]+ms$/, "")
    seen[$0] = 1
    found[runtime, $0] = verdict
    why[runtime, $0] = reason
    count[runtime, verdict]++
}
END {
    for (title in seen) {
        split(title, part, " ")
        order[part[1]] = title
        if (part[1] > last) last = part[1]
    }
    split("runc ours", runtimes, " ")
    for (i = 1; i <= 2; i++) {
        runtime = runtimes[i]
        printf "bats: %s with %s: %d passed, %d failed, %d skipped\n", driver, runtime,
            count[runtime, "passed"], count[runtime, "failed"], count[runtime, "skipped"]
        for (number = 1; number <= last; number++) {
            title = order[number]
            verdict = found[runtime, title]
            if (title != "" && verdict != "passed")
                printf "  %s %s%s\n", verdict == "" ? "missing" : verdict, title, why[runtime, title]
        }
    }
    for (number = 1; number <= last; number++) {
        title = order[number]
        if (found["runc", title] == "passed" && found["ours", title] != "passed") {
            if (!worse++) printf "bats: %s: these pass with runc, not with ours:\n", driver
            printf "  %s\n", title
        }
    }
    exit worse > 0
}
