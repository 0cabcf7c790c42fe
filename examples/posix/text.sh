# Text, two ways each: `sh text.sh TEST`. What one tool does, another undoes or confirms.
. ./lib.sh

# words COUNT SEED: pseudo-words of 1 to 9 letters, one a line
words() {
    generate "$(($1 * 2))" "$2" | awk 'NR % 2 { n = $1 % 9 + 1; next }
        { x = $1; w = ""; for (i = 0; i < n; i++) { w = w substr("etaoinshrdlucmfwypvbgkjqxz", x % 26 + 1, 1); x = (x * 16807 + 7) % 2147483647 } print w }'
}

fold_roundtrip() {
    words 4000 11 | tr '\n' ' ' >"$work/text"
    fold -w 61 "$work/text" >"$work/folded"
    expect "lines that are too long" "$(awk 'length($0) > 61' "$work/folded" | wc -l | tr -d ' ')" 0
    tr -d '\n' <"$work/folded" >"$work/joined"
    same "folded and joined" "$work/joined" "$work/text"
}

wrap() {
    words 6000 12 >"$work/words"
    awk -v width=72 '{ if (line == "") line = $0; else if (length(line) + 1 + length($0) <= width) line = line " " $0; else { print line; line = $0 } } END { print line }' \
        "$work/words" >"$work/wrapped"
    # Greedy wrapping: no line is too long, and the first word of a line did not fit on the line before.
    expect "badly broken lines" "$(awk 'length($0) > 72 { bad++ } NR > 1 && length(last) + 1 + length($1) <= 72 { bad++ } { last = $0 } END { print bad + 0 }' "$work/wrapped")" 0
    tr ' ' '\n' <"$work/wrapped" >"$work/again"
    same "wrapped and split" "$work/again" "$work/words"
}

json_roundtrip() {
    words 3000 13 | awk '{ print $0 "\t\"" $0 "\\" substr($0, 1, 2) "/\\n\\\"" NR }' >"$work/plain"
    tab=$(printf '\t')
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g" -e 's/^/"/' -e 's/$/"/' "$work/plain" >"$work/json"
    expect "raw tabs left" "$(grep -c "$tab" "$work/json" || true)" 0
    awk '{ s = substr($0, 2, length($0) - 2); out = ""
        while ((i = index(s, "\\")) > 0) { c = substr(s, i + 1, 1); out = out substr(s, 1, i - 1) (c == "t" ? "\t" : c == "n" ? "\n" : c); s = substr(s, i + 2) }
        print out s }' "$work/json" >"$work/back"
    same "escaped by sed, read by awk" "$work/back" "$work/plain"
}

csv_roundtrip() {
    words 4000 14 | awk '{ printf "%s%s", $0 (NR % 3 == 0 ? ", \"" $0 "\"" : ""), (NR % 4 ? "\t" : "\n") }' >"$work/tsv"
    awk -F '\t' '{ for (i = 1; i <= NF; i++) { f = $i; if (f ~ /[",]/) { gsub(/"/, "\"\"", f); f = "\"" f "\"" } printf "%s%s", f, (i < NF ? "," : "\n") } }' "$work/tsv" >"$work/csv"
    awk '{ n = 0; f = ""; quoted = 0; out = ""
        for (i = 1; i <= length($0); i++) {
            c = substr($0, i, 1)
            if (quoted) { if (c == "\"") { if (substr($0, i + 1, 1) == "\"") { f = f c; i++ } else quoted = 0 } else f = f c }
            else if (c == "\"") quoted = 1
            else if (c == ",") { out = out f "\t"; f = "" }
            else f = f c
        }
        print out f }' "$work/csv" >"$work/back"
    same "CSV written and read" "$work/back" "$work/tsv"
}

levenshtein='function min(a, b) { return a < b ? a : b }
function distance(s, t,    i, j, m, n) {
    m = length(s); n = length(t)
    for (j = 0; j <= n; j++) row[0, j] = j
    for (i = 1; i <= m; i++) {
        row[i, 0] = i
        for (j = 1; j <= n; j++) row[i, j] = min(min(row[i - 1, j], row[i, j - 1]) + 1, row[i - 1, j - 1] + (substr(s, i, 1) != substr(t, j, 1)))
    }
    return row[m, n]
}'

edit_distance() {
    found=$(awk "$levenshtein"' BEGIN { print distance("kitten", "sitting"), distance("saturday", "sunday"), distance("", "abc"), distance("rosettacode", "raisethysword") }')
    expect "edit distances" "$found" "3 3 3 8"
    words 90 15 | awk "$levenshtein"' { w[NR] = $0 } END {
        for (i = 1; i <= NR; i++) for (j = 1; j <= NR; j++) d[i, j] = distance(w[i], w[j])
        for (i = 1; i <= NR; i++) for (j = 1; j <= NR; j++) {
            if (d[i, j] != d[j, i] || (d[i, j] == 0) != (w[i] == w[j])) bad++
            for (k = 1; k <= NR; k++) if (d[i, k] > d[i, j] + d[j, k]) bad++
        }
        print bad + 0 }' >"$work/bad"
    expect "pairs and triples that are no metric" "$(cat "$work/bad")" 0
}

subsequence() {
    words 600 16 | awk 'function dp(s, t,    i, j, a, b) {
        for (i = 0; i <= length(s); i++) for (j = 0; j <= length(t); j++)
            if (!i || !j) l[i, j] = 0
            else if (substr(s, i, 1) == substr(t, j, 1)) l[i, j] = l[i - 1, j - 1] + 1
            else { a = l[i - 1, j]; b = l[i, j - 1]; l[i, j] = a > b ? a : b }
        return l[length(s), length(t)]
    }
    function all(s, t,    m, i, k, b, at, sub_len, best, rest) {
        for (m = 0; m < 2 ^ length(s); m++) {
            b = m; rest = t; sub_len = 0
            for (i = 1; b; i++) { if (b % 2) { at = index(rest, substr(s, i, 1)); if (!at) break; rest = substr(rest, at + 1); sub_len++ } b = int(b / 2) }
            if (!b && sub_len > best) best = sub_len
        }
        return best + 0
    }
    { if (NR % 2) { s = $0; next } if (dp(s, $0) != all(s, $0)) bad++; pairs++ }
    END { print pairs, bad + 0 }' >"$work/lcs"
    expect "pairs compared, and longest common subsequences that differ" "$(cat "$work/lcs")" "300 0"
}

search() {
    found=$(awk 'function kmp(t, p,    i, k, n, hits) {
        n = length(p); fail[1] = 0; k = 0
        for (i = 2; i <= n; i++) { while (k && substr(p, k + 1, 1) != substr(p, i, 1)) k = fail[k]; if (substr(p, k + 1, 1) == substr(p, i, 1)) k++; fail[i] = k }
        k = 0
        for (i = 1; i <= length(t); i++) {
            while (k && (k == n || substr(p, k + 1, 1) != substr(t, i, 1))) k = fail[k]
            if (substr(p, k + 1, 1) == substr(t, i, 1)) k++
            if (k == n) hits = hits " " (i - n + 1)
        }
        return hits
    }
    function plain(t, p,    i, hits) { for (i = 1; i <= length(t) - length(p) + 1; i++) if (substr(t, i, length(p)) == p) hits = hits " " i; return hits }
    BEGIN {
        f[1] = "b"; f[2] = "a"
        for (i = 3; i <= 20; i++) f[i] = f[i - 1] f[i - 2]
        for (i = 4; i <= 14; i++) if (kmp(f[20], f[i]) != plain(f[20], f[i])) bad++
        print length(f[20]), bad + 0
    }')
    expect "length of the Fibonacci word, searches that differ" "$found" "6765 0"
}

palindromes() {
    generate 800 17 | awk '{ s = s substr("ab", $1 % 2 + 1, 1) } END {
        n = length(s)
        for (c = 1; c <= n; c++) for (e = 0; e <= 1; e++) { l = c; r = c + e; while (l > 0 && r <= n && substr(s, l, 1) == substr(s, r, 1)) { l--; r++ } if (r - l - 1 > best) best = r - l - 1 }
        for (len = 1; len <= n; len++) for (i = 1; i + len - 1 <= n; i++) {
            ok[i, len] = len < 2 || (substr(s, i, 1) == substr(s, i + len - 1, 1) && (len == 2 || ok[i + 1, len - 2]))
            if (ok[i, len]) longest = len
        }
        print best - longest
    }' >"$work/palindromes"
    expect "longest palindrome by growing less the longest by table" "$(cat "$work/palindromes")" 0
}

word_count() {
    words 90000 18 >"$work/words"
    sort "$work/words" | uniq -c | awk '{ print $2, $1 }' >"$work/by_sort"
    awk '{ n[$0]++ } END { for (w in n) print w, n[w] }' "$work/words" | sort >"$work/by_awk"
    same "words counted by sort and by awk" "$work/by_sort" "$work/by_awk"
}

join_tables() {
    words 12000 19 | sort -u >"$work/left"
    words 12000 20 | sort -u >"$work/right"
    comm -12 "$work/left" "$work/right" >"$work/comm"
    join "$work/left" "$work/right" >"$work/join"
    awk 'NR == FNR { seen[$0]; next } $0 in seen' "$work/left" "$work/right" >"$work/awk"
    same "common words by comm and join" "$work/comm" "$work/join"
    same "common words by comm and awk" "$work/comm" "$work/awk"
    [ -s "$work/comm" ] || fail "the lists have no word in common"
}

vigenere() {
    words 5000 21 | tr '\n' ' ' >"$work/plain"
    cipher='BEGIN { a = "abcdefghijklmnopqrstuvwxyz" }
    { for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); p = index(a, c); if (p) { k = index(a, substr(key, n++ % length(key) + 1, 1)) - 1; c = substr(a, (p - 1 + way * k + 26) % 26 + 1, 1) } printf "%s", c } }'
    fold -w 500 "$work/plain" | awk -v key=evenkeel -v way=1 "$cipher" >"$work/secret"
    cmp -s "$work/plain" "$work/secret" && fail "the secret is the plain text"
    fold -w 500 "$work/secret" | awk -v key=evenkeel -v way=-1 "$cipher" >"$work/back"
    same "enciphered and deciphered" "$work/back" "$work/plain"
    expect "a known answer" "$(printf 'attackatdawn' | awk -v key=lemon -v way=1 "$cipher")" lxfopvefrnhr
}

"$@"
