#!/bin/sh
# Counts in one SQLite file from two shell loops of four processes each: first bare, then the
# same under dbguard. Nobody waits for a busy database (no busy timeout).
#
#   DBGUARD=path/to/dbguard sh examples/counter.sh
#
# Needs sqlite3 or python3, and dbguard in PATH or in $DBGUARD. A step reads the number in one
# process and writes the next one in another. An update is lost when its writer was told that
# it is done and the counter does not have it. Exits with 1 if dbguard lost or refused one.
set -u

dbguard=${DBGUARD:-dbguard}

if command -v sqlite3 >/dev/null 2>&1; then
    rounds=25
    sql() { sqlite3 -batch -bail -cmd '.timeout 0' "$1" "$2"; }
elif python3 -c 'import sqlite3' >/dev/null 2>&1; then
    rounds=8
    sql() {
        python3 -c '
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute(sys.argv[2]):
    print(*row)' "$1" "$2"
    }
else
    echo "counter.sh: needs sqlite3 or python3" >&2
    exit 2
fi

# The job itself, as any script would write it. This script calls itself for it.
if [ "${1:-}" = step ]; then
    old=$(sql "$2" 'SELECT value FROM counter') || exit 1
    sql "$2" "UPDATE counter SET value = $((old + 1))" || exit 1
    echo done >>"$2.done"
    exit 0
fi

command -v "$dbguard" >/dev/null 2>&1 || {
    echo "counter.sh: no dbguard in PATH; install it, or set DBGUARD to its path" >&2
    exit 2
}
directory=$(mktemp -d) || exit 2
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# shell_loop DATABASE PREFIX...: rounds of four steps at once, each after the words of PREFIX.
shell_loop() {
    database=$1
    shift
    round=0
    while [ "$round" -lt "$rounds" ]; do
        for _ in 1 2 3 4; do
            "$@" sh "$0" step "$database" 2>>"$database.errors" &
        done
        wait
        round=$((round + 1))
    done
}

# count TITLE DATABASE PREFIX...: two loops at once; prints what came of it.
count() {
    title=$1
    database=$2
    shift 2
    sql "$database" 'CREATE TABLE counter(value)'
    sql "$database" 'INSERT INTO counter VALUES(0)'
    : >"$database.done"
    shell_loop "$database" "$@" &
    shell_loop "$database" "$@" &
    wait
    wanted=$((2 * rounds * 4))
    told=$(($(wc -l <"$database.done")))
    value=$(sql "$database" 'SELECT value FROM counter')
    lost=$((told - value))
    failed=$((wanted - told))
    printf '%-14s %s updates: %s done, %s failed; the counter says %s: %s lost\n' \
        "$title" "$wanted" "$told" "$failed" "$value" "$lost"
}

count bare: "$directory/bare.db" env
count 'with dbguard:' "$directory/guarded.db" "$dbguard" exec "$directory/guarded.db" --

if [ "$lost" -ne 0 ] || [ "$failed" -ne 0 ]; then
    cat "$directory/guarded.db.errors" >&2
    exit 1
fi
