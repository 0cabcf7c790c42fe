# Files, pipes and processes: `sh files.sh TEST [SIZE]`. The work is done by the system's own tools.
. ./lib.sh

sorting() {
    generate "$1" 51 >"$work/data"
    sort -n "$work/data" >"$work/by_sort"
    sort -n -c "$work/by_sort" || fail "sort -n left its output unsorted"
    awk '{ a[NR] = $1 + 0 } END {
        n = NR
        for (w = 1; w < n; w *= 2) {
            for (lo = 1; lo <= n; lo += 2 * w) {
                i = lo; mid = lo + w; j = mid; hi = lo + 2 * w; if (mid > n + 1) mid = j = n + 1; if (hi > n + 1) hi = n + 1
                for (k = lo; k < hi; k++) if (i < mid && (j >= hi || a[i] <= a[j])) b[k] = a[i++]; else b[k] = a[j++]
            }
            for (k = 1; k <= n; k++) a[k] = b[k]
        }
        for (k = 1; k <= n; k++) printf "%.0f\n", a[k]
    }' "$work/data" >"$work/by_merge"
    same "sort -n and a merge sort" "$work/by_merge" "$work/by_sort"
}

heap_sort() {
    generate "$1" 52 | tee "$work/data" | awk 'function sink(i, n,    c, t) { while ((c = 2 * i) <= n) { if (c < n && a[c + 1] > a[c]) c++; if (a[i] >= a[c]) return; t = a[i]; a[i] = a[c]; a[c] = t; i = c } }
        { a[NR] = $1 + 0 } END { for (i = int(NR / 2); i; i--) sink(i, NR); for (n = NR; n > 1; n--) { t = a[1]; a[1] = a[n]; a[n] = t; sink(1, n - 1) } for (i = 1; i <= NR; i++) printf "%.0f\n", a[i] }' >"$work/by_heap"
    sort -n "$work/data" >"$work/by_sort"
    same "sort -n and a heap sort" "$work/by_heap" "$work/by_sort"
}

walk() { # FOLDER: every file under it, by the shell alone
    for entry in "$1"/*; do
        if [ -d "$entry" ]; then walk "$entry"; elif [ -f "$entry" ]; then printf '%s\n' "$entry"; fi
    done
}

tree() {
    generate 160 53 | while read -r x; do
        folder=$work/tree/$((x % 5))/$((x / 5 % 5))/$((x / 25 % 4))
        mkdir -p "$folder"
        printf '%s\n' "$x" >"$folder/$x"
    done
    find "$work/tree" -type f | sort >"$work/by_find"
    walk "$work/tree" | sort >"$work/by_shell"
    expect "files" "$(wc -l <"$work/by_find" | tr -d ' ')" 160
    same "files found by find and by the shell" "$work/by_shell" "$work/by_find"
    misplaced=$(while read -r file; do [ "$(cat "$file")" = "${file##*/}" ] || echo "$file"; done <"$work/by_find")
    expect "files with the wrong content" "$misplaced" ""
}

splitting() {
    generate 60000 54 >"$work/data"
    mkdir "$work/parts"
    split -l 777 -a 3 "$work/data" "$work/parts/p"
    expect "parts" "$(ls "$work/parts" | wc -l | tr -d ' ')" 78
    cat "$work"/parts/p* >"$work/whole"
    same "split and joined" "$work/whole" "$work/data"
}

blocks() {
    generate 30000 55 >"$work/data"
    size=$(wc -c <"$work/data" | tr -d ' ')
    : >"$work/copy"
    block=0
    while [ $((block * 4096)) -lt "$size" ]; do
        dd if="$work/data" bs=4096 skip="$block" count=1 2>"$work/log" >>"$work/copy" || fail "$(cat "$work/log")"
        block=$((block + 1))
    done
    same "copied in $block blocks" "$work/copy" "$work/data"
}

dump() {
    generate 2500 56 >"$work/data"
    od -An -v -to1 "$work/data" | tr -s ' ' '\n' | sed '/^$/d' >"$work/octal"
    # The shell's own printf turns octal numbers back into bytes.
    while read -r o; do printf "\\$o"; done <"$work/octal" >"$work/back"
    same "dumped and restored" "$work/back" "$work/data"
}

fifo() {
    mkfifo "$work/pipe"
    generate 80000 57 >"$work/data"
    cat "$work/data" >"$work/pipe" &
    cat "$work/pipe" >"$work/arrived"
    wait
    same "through a named pipe" "$work/arrived" "$work/data"
}

# Eight processes count in one file; making a folder is atomic, so it serves as the lock.
locking() {
    printf '0\n' >"$work/counter"
    for child in 1 2 3 4 5 6 7 8; do
        (
            i=0
            while [ "$i" -lt 25 ]; do
                until mkdir "$work/lock" 2>/dev/null; do :; done
                read -r n <"$work/counter"
                printf '%s\n' $((n + 1)) >"$work/counter"
                rmdir "$work/lock"
                i=$((i + 1))
            done
        ) &
    done
    wait
    expect "the count of eight processes" "$(cat "$work/counter")" 200
}

exit_codes() {
    bad=0
    for code in 0 1 2 3 7 42 64 75 100 125 255; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            sh -c "exit $code" && found=0 || found=$?
            [ "$found" -eq "$code" ] || bad=$((bad + 1))
        done
    done
    expect "exit codes that did not arrive" "$bad" 0
    sh -c 'kill -TERM $$' && found=0 || found=$?
    expect "a process ended by TERM" "$found" 143
}

rights() {
    (umask 027 && : >"$work/private" && mkdir "$work/shut")
    expect "rights of a new file" "$(ls -l "$work/private" | cut -c1-10)" "-rw-r-----"
    expect "rights of a new folder" "$(ls -ld "$work/shut" | cut -c1-10)" "drwxr-x---"
    chmod u=rx,go= "$work/private"
    expect "rights after chmod" "$(ls -l "$work/private" | cut -c1-10)" "-r-x------"
    for i in 1 2 3 4 5 6 7 8 9; do ln "$work/private" "$work/link.$i"; done
    expect "names of one file" "$(ls -l "$work/private" | awk '{ print $2 }')" 10
    ln -s link.1 "$work/soft"
    rm "$work/link.1"
    [ ! -e "$work/soft" ] || fail "a symbolic link kept its target alive"
}

# A pipeline of ten stages must neither lose nor reorder a line.
pipeline() {
    generate 150000 58 >"$work/data"
    up='abcdefghij'
    tr 0-9 "$up" <"$work/data" | sed 's/^/x/' | awk '{ print NR ":" $0 }' | cat | cat | sed 's/^[0-9]*://' | cut -c2- | cat | tr "$up" 0-9 | cat >"$work/out"
    same "through ten stages" "$work/out" "$work/data"
}

"$@"
