#!/bin/sh
# A preprocessor of mdBook (book.toml): links that leave this folder lead to the repository on the web, since the book has the
# pages of this folder alone. The input is an array of the context and the book, the output the book.
set -eu
[ "${1:-}" != supports ] || exit 0
exec jq '
    (.[0].config.output.html."git-repository-url" + "/blob/HEAD/") as $repository
    | .[1]
    | walk(if type == "object" and has("content") then .content |= gsub("\\]\\(\\.\\./"; "](" + $repository) else . end)
'
