# Checksums, codes and compressors, each against a known answer or its own inverse: `sh codes.sh TEST [SIZE]`.
. ./lib.sh

bytes() { # FILE: its bytes as decimal numbers, one a line
    od -An -v -tu1 "$1" | tr -s ' ' '\n' | sed '/^$/d'
}

# Exclusive or of numbers, by nibbles from a table: awk has no operator for it.
exclusive='function exclusive(a, b,    r, p) {
    if (!ready) { ready = 1; for (i_ = 0; i_ < 16; i_++) for (j_ = 0; j_ < 16; j_++) { x_ = 0; for (k_ = 1; k_ < 16; k_ *= 2) if (int(i_ / k_) % 2 != int(j_ / k_) % 2) x_ += k_; t_[i_ * 16 + j_] = x_ } }
    for (p = 1; a || b; p *= 16) { r += p * t_[(a % 16) * 16 + b % 16]; a = int(a / 16); b = int(b / 16) }
    return r + 0
}'

crc() {
    generate "$1" 31 >"$work/data"
    # The CRC of cksum: polynomial 04C11DB7, high bit first, the length appended, everything inverted at the end.
    bytes "$work/data" | awk "$exclusive"'
        function feed(b) { crc = exclusive((crc % 16777216) * 256, table[exclusive(int(crc / 16777216), b)]) }
        BEGIN { for (i = 0; i < 256; i++) { c = i * 16777216; for (k = 0; k < 8; k++) c = c >= 2147483648 ? exclusive((c - 2147483648) * 2, 79764919) : c * 2; table[i] = c } }
        { feed($1) }
        END { for (n = NR; n; n = int(n / 256)) feed(n % 256); printf "%.0f %d\n", 4294967295 - crc, NR }' >"$work/crc"
    expect "CRC of a generated file" "$(cat "$work/crc")" "$(cksum <"$work/data")"
}

adler() {
    printf 'Wikipedia' >"$work/known"
    sum='{ a = (a + $1) % 65521; b = (b + a) % 65521 } END { printf "%.0f\n", b * 65536 + a }'
    expect "Adler-32 of a known word" "$(bytes "$work/known" | awk 'BEGIN { a = 1 } '"$sum")" 300286872
    generate 40000 32 >"$work/data"
    whole=$(bytes "$work/data" | awk 'BEGIN { a = 1 } '"$sum")
    # The sum of two parts follows from their sums and lengths.
    parts=$(bytes "$work/data" | awk '{ if (NR <= 70000) { a1 += $1; b1 += a1 } else { a2 += $1; b2 += a2; n2++ } }
        END { a = (1 + a1 + a2) % 65521; b = (70000 + b1 + n2 * (1 + a1) + b2) % 65521; printf "%.0f\n", b * 65536 + a }')
    expect "Adler-32 of a file from its parts" "$parts" "$whole"
}

encode64='BEGIN { d = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" }
{ v = v * 256 + $1; if (++n == 3) { for (p = 262144; p >= 1; p /= 64) printf "%s", substr(d, int(v / p) % 64 + 1, 1); v = n = 0 } }
END { if (n == 1) { v *= 16; printf "%s%s==", substr(d, int(v / 64) + 1, 1), substr(d, v % 64 + 1, 1) }
    if (n == 2) { v *= 4; printf "%s%s%s=", substr(d, int(v / 4096) + 1, 1), substr(d, int(v / 64) % 64 + 1, 1), substr(d, v % 64 + 1, 1) } }'

base64() {
    for pair in f:Zg== fo:Zm8= foo:Zm9v foob:Zm9vYg== fooba:Zm9vYmE= foobar:Zm9vYmFy; do
        printf '%s' "${pair%%:*}" >"$work/in"
        expect "base64 of ${pair%%:*}" "$(bytes "$work/in" | awk "$encode64")" "${pair#*:}"
    done
    generate 4000 33 >"$work/data"
    bytes "$work/data" | awk "$encode64" | fold -w 76 | awk 'BEGIN { d = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" }
        { for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); if (c == "=") continue; v = v * 64 + index(d, c) - 1; bits += 6
            if (bits >= 8) { bits -= 8; p = 2 ^ bits; b = int(v / p); v -= b * p; printf "%c", b } } }' >"$work/back"
    same "encoded and decoded" "$work/back" "$work/data"
}

huffman() {
    generate 2500 34 >"$work/data"
    bytes "$work/data" >"$work/bytes"
    awk '{ s[NR] = $1; f[$1]++ } END {
        for (c in f) { n++; id[n] = c; w[n] = f[c]; alive[n] = 1; left_of[n] = 0 }
        leaves = top = n
        for (live = n; live > 1; live--) {
            a = b = 0
            for (i = 1; i <= top; i++) if (alive[i]) { if (!a || w[i] < w[a]) { b = a; a = i } else if (!b || w[i] < w[b]) b = i }
            top++; left_of[top] = a; right_of[top] = b; w[top] = w[a] + w[b]; alive[top] = 1; alive[a] = alive[b] = 0
        }
        code[top] = ""
        for (i = top; i >= 1; i--) if (left_of[i]) { code[left_of[i]] = code[i] "0"; code[right_of[i]] = code[i] "1" } else { of[id[i]] = code[i]; print "T", code[i], id[i]; kraft += 2 ^ -length(code[i]) }
        print "K", kraft
        for (i = 1; i <= NR; i++) print "D", of[s[i]]
    }' "$work/bytes" >"$work/coded"
    expect "sum of Kraft" "$(awk '$1 == "K" { print $2 }' "$work/coded")" 1
    # The reader gets one stream of bits and finds the borders of the words by itself.
    { awk '$1 == "T" { print "T", $2, $3 }' "$work/coded"; awk '$1 == "D" { printf "%s", $2 }' "$work/coded" | fold -w 400; } |
        awk '$1 == "T" { t[$2] = $3; next } { for (i = 1; i <= length($0); i++) { w = w substr($0, i, 1); if (w in t) { print t[w]; w = "" } } }' >"$work/back"
    same "Huffman round trip" "$work/back" "$work/bytes"
    bits=$(awk '$1 == "D" { n += length($2) } END { print n }' "$work/coded")
    [ "$bits" -lt $(($(wc -l <"$work/bytes") * 4)) ] || fail "digits took $bits bits, four a digit or more"
}

lz() {
    generate 700 35 | awk '{ s = s substr("the quick brown fox jumps over the lazy dog ", $1 % 20 + 1, $1 % 23 + 1) } END { printf "%s", s }' >"$work/data"
    awk '{ s = $0; n = length(s); i = 1
        while (i <= n) {
            best = 0; from = i > 400 ? i - 400 : 1
            for (j = from; j + best < i; j++) if (substr(s, j, best + 1) == substr(s, i, best + 1)) { l = best + 1; while (i + l <= n && j + l < i && substr(s, j + l, 1) == substr(s, i + l, 1)) l++; if (l > best) { best = l; at = j } }
            if (best > 3) { print "M", i - at, best; i += best } else { print "L", substr(s, i, 1); i++ }
        } }' "$work/data" >"$work/packed"
    awk '$1 == "L" { out = out substr($0, 3, 1) } $1 == "M" { out = out substr(out, length(out) - $2 + 1, $3) } END { printf "%s", out }' "$work/packed" >"$work/back"
    same "packed and unpacked" "$work/back" "$work/data"
    [ "$(wc -l <"$work/packed")" -lt $(($(wc -c <"$work/data") / 2)) ] || fail "nothing was compressed"
}

hamming() {
    found=$(awk "$exclusive"'
    function encode(v,    i, k, s) { for (i = 3; i <= 7; i++) if (i != 4) { b[i] = v % 2; v = int(v / 2) } b[1] = (b[3] + b[5] + b[7]) % 2; b[2] = (b[3] + b[6] + b[7]) % 2; b[4] = (b[5] + b[6] + b[7]) % 2; s = ""; for (i = 1; i <= 7; i++) s = s b[i]; return s }
    function decode(s,    i, bad, v, p) { bad = 0; for (i = 1; i <= 7; i++) if (substr(s, i, 1) == 1) bad = exclusive(bad, i); v = 0; p = 1; for (i = 3; i <= 7; i++) if (i != 4) { v += p * ((substr(s, i, 1) + (i == bad)) % 2); p *= 2 } return v }
    BEGIN {
        for (r = 0; r < 200; r++) for (v = 0; v < 16; v++) { s = encode(v); if (decode(s) != v) bad++
            for (i = 1; i <= 7; i++) { t = substr(s, 1, i - 1) (1 - substr(s, i, 1)) substr(s, i + 1); if (decode(t) != v) bad++; words++ } }
        print words, bad + 0
    }')
    expect "words with one wrong bit, not corrected" "$found" "22400 0"
}

luhn() {
    found=$(generate 4000 36 | awk 'function check(s,    i, t, d) { for (i = length(s); i; i--) { d = substr(s, i, 1); if ((length(s) - i) % 2) { d *= 2; if (d > 9) d -= 9 } t += d } return t % 10 }
    { s = $1; for (d = 0; d < 10; d++) if (check(s d) == 0) break; s = s d; if (check(s)) bad++
      for (i = 1; i <= length(s); i++) { e = (substr(s, i, 1) + $1 % 9 + 1) % 10; if (!check(substr(s, 1, i - 1) e substr(s, i + 1))) bad++ } }
    END { print bad + 0, check("79927398713") }')
    expect "single wrong digits not noticed, check of a known number" "$found" "0 0"
}

gray() {
    found=$(awk "$exclusive"' BEGIN { for (i = 0; i < 4096; i++) { g = exclusive(i, int(i / 2)); if (g in seen) bad++; seen[g]; if (i) { d = exclusive(g, last); while (d > 1) { if (d % 2) { bad++; break } d /= 2 } } last = g } print bad + 0, last }')
    expect "steps of the Gray code that change several bits, last word" "$found" "0 2048"
}

"$@"
