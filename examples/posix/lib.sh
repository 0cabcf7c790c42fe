# What every script here shares: a private folder, and checks that say what went wrong. Read with `. ./lib.sh`.
# Nothing but a POSIX shell and POSIX utilities is used. LC_ALL=C makes a byte a character everywhere.
set -eu
LC_ALL=C
export LC_ALL

work=${TMPDIR:-/tmp}/evenkeel-example.$$
mkdir -m 700 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# expect WHAT FOUND WANTED
expect() {
    [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"
    printf 'ok: %s = %s\n' "$1" "$3"
}

# same WHAT FILE FILE: equal by checksum and length
same() {
    expect "$1" "$(cksum <"$2")" "$(cksum <"$3")"
}

# generate LINES SEED: pseudo-random numbers below 2^31, the same ones every time (Park and Miller's generator)
generate() {
    awk -v lines="$1" -v x="$2" 'BEGIN { for (i = 0; i < lines; i++) { x = (x * 16807) % 2147483647; printf "%.0f\n", x } }'
}
