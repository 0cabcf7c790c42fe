# Small machines written in awk, running programs with known results: `sh machines.sh TEST [SIZE]`.
. ./lib.sh

tape_machine='
function run(p, input,    i, c, sp, at, jump, stack, t, out, in_at) {
    for (i = 1; i <= length(p); i++) { c = substr(p, i, 1); if (c == "[") stack[++sp] = i; else if (c == "]") { jump[i] = stack[sp]; jump[stack[sp--]] = i } }
    for (i = 1; i <= length(p); i++) {
        c = substr(p, i, 1); steps++
        if (c == ">") at++; else if (c == "<") at--
        else if (c == "+") t[at + 0] = (t[at + 0] + 1) % 256; else if (c == "-") t[at + 0] = (t[at + 0] + 255) % 256
        else if (c == ".") out = out sprintf("%c", t[at + 0])
        else if (c == ",") t[at + 0] = in_at < length(input) ? index(letters, substr(input, ++in_at, 1)) + 31 : 0
        else if (c == "[") { if (!t[at + 0]) i = jump[i] } else if (c == "]") { if (t[at + 0]) i = jump[i] }
    }
    return out
}
BEGIN { for (i = 32; i < 127; i++) letters = letters sprintf("%c", i) }'

brain() {
    found=$(awk "$tape_machine"'BEGIN {
        hello = "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------.--------.>>+."
        printf "%s/%s/", run(hello, ""), run(",[>,]<[.<]", "stressed")
        for (k = 0; k < 5000; k++) run(hello, "")
        print (steps > 4000000)
    }')
    expect "programs on a tape" "$found" "Hello World!/desserts/1"
}

beavers() {
    found=$(awk 'function run(rules,    r, n, i, t, at, s, steps, ones, k, p, rule) {
        n = split(rules, r); for (i = 1; i <= n; i++) { split(r[i], rule, ":"); does[rule[1]] = rule[2] }
        s = "A"
        while (s != "H") { k = s (t[at + 0] + 0); p = does[k]; t[at + 0] = substr(p, 1, 1); at += substr(p, 2, 1) == "R" ? 1 : -1; s = substr(p, 3, 1); steps++ }
        for (i in t) ones += t[i]
        return steps "/" ones
    }
    BEGIN {
        print run("A0:1RB A1:1LB B0:1LA B1:1RH"), run("A0:1RB A1:1RH B0:0RC B1:1RB C0:1LC C1:1LA"), run("A0:1RB A1:1LB B0:1LA B1:0LC C0:1RH C1:1LD D0:1RD D1:0RA")
    }')
    expect "steps and marks of busy beavers" "$found" "6/4 14/6 107/13"
}

ant() {
    found=$(awk 'BEGIN {
        # From about step 10000 on, every 104 steps build the same piece of road.
        for (s = 1; s <= 400000; s++) {
            if ((y, x) in black) { delete black[y, x]; d = (d + 3) % 4 } else { black[y, x]; d = (d + 1) % 4 }
            if (d == 0) y--; else if (d == 1) x++; else if (d == 2) y++; else x--
            if (s >= 12000 && (s - 12000) % 104 == 0) { if (s > 12000) { dy = y - ly; dx = x - lx; if (dy * dy != 4 || dx * dx != 4 || (seen && (dy != fy || dx != fx))) bad++; fy = dy; fx = dx; seen = 1; roads++ } ly = y; lx = x }
        }
        print roads, bad + 0
    }')
    expect "pieces of road, and crooked ones" "$found" "3730 0"
}

automata() {
    found=$(awk 'function next_row(s, rule,    i, r, k) { s = "00" s "00"; for (i = 2; i < length(s); i++) { k = substr(s, i - 1, 1) * 4 + substr(s, i, 1) * 2 + substr(s, i + 1, 1); r = r (int(rule / 2 ^ k) % 2) } return r }
    BEGIN {
        s = "1"; for (g = 0; g < 256; g++) { t = s; if (gsub(/1/, "", t) != 2 ^ ones(g)) bad++; s = next_row(s, 90) }
        s = "1"; for (g = 0; g < 40; g++) { middle = middle substr(s, g + 1, 1); s = next_row(s, 30) }
        print bad + 0, middle
    }
    function ones(n,    k) { while (n) { k += n % 2; n = int(n / 2) } return k }')
    expect "rows of rule 90 that are not Pascal modulo 2; middle of rule 30" "$found" "0 1101110011000101100100111010111001110101"
}

calculator() {
    # Expressions are generated with the value the shell gives them, and evaluated once more by a stack machine.
    generate 30000 41 | awk '{ v[NR] = $1 % 90 + 1 } END { for (i = 6; i <= NR; i += 6) print "(" v[i - 5] "+" v[i - 4] ")*(" v[i - 3] "-" v[i - 2] "*" v[i - 1] ")+" v[i] "/" (v[i - 1]) }' >"$work/expressions"
    while read -r expression; do printf '%s\n' "$(($expression))"; done <"$work/expressions" >"$work/by_shell"
    awk 'function weight(o) { return o == "*" || o == "/" ? 2 : o == "(" ? 0 : 1 }
    function apply(o,    a, b) { b = val[sp--]; a = val[sp]; val[sp] = o == "+" ? a + b : o == "-" ? a - b : o == "*" ? a * b : int(a / b) }
    { sp = op = 0; n = length($0)
      for (i = 1; i <= n; i++) {
        c = substr($0, i, 1)
        if (c ~ /[0-9]/) { w = ""; while (i <= n && (c = substr($0, i, 1)) ~ /[0-9]/) { w = w c; i++ } i--; val[++sp] = w + 0 }
        else if (c == "(") ops[++op] = c
        else if (c == ")") { while (ops[op] != "(") apply(ops[op--]); op-- }
        else { while (op && weight(ops[op]) >= weight(c)) apply(ops[op--]); ops[++op] = c }
      }
      while (op) apply(ops[op--])
      printf "%.0f\n", val[1] }' "$work/expressions" >"$work/by_awk"
    same "expressions by the shell and by a stack" "$work/by_awk" "$work/by_shell"
}

matcher() {
    # A matcher for . * ^ $ in twenty lines, against the regular expressions of awk itself.
    found=$(awk 'function at_start(p, s) { if (p == "") return 1; if (substr(p, 2, 1) == "*") return star(substr(p, 1, 1), substr(p, 3), s); if (p == "$") return s == ""
        if (s != "" && (substr(p, 1, 1) == "." || substr(p, 1, 1) == substr(s, 1, 1))) return at_start(substr(p, 2), substr(s, 2)); return 0 }
    function star(c, p, s) { while (1) { if (at_start(p, s)) return 1; if (s == "" || (c != "." && substr(s, 1, 1) != c)) return 0; s = substr(s, 2) } }
    function matches(p, s) { if (substr(p, 1, 1) == "^") return at_start(substr(p, 2), s); while (1) { if (at_start(p, s)) return 1; if (s == "") return 0; s = substr(s, 2) } }
    BEGIN {
        n = split("abc a.c ^ab*c$ b*$ ^a.*b.*c$ ^.b c$ ^$ aa*bb* ^.*$ a*a*a*a*b ^c*b*a*$", pattern)
        for (len = 0; len <= 8; len++) for (v = 0; v < 3 ^ len; v++) {
            s = ""; t = v; for (i = 0; i < len; i++) { s = s substr("abc", t % 3 + 1, 1); t = int(t / 3) }
            for (i = 1; i <= n; i++) { tried++; if (matches(pattern[i], s) != (s ~ pattern[i])) bad++ }
        }
        print tried, bad + 0
    }')
    expect "matches tried, and those that differ" "$found" "118092 0"
}

stack_vm() {
    found=$(awk 'BEGIN {
        # while (b) { t = a % b; a = b; b = t }  on a stack machine, for many pairs
        m = split("load b|jz 10|load a|load b|mod|store t|load b|store a|load t|store b|jump 0|halt", code, "|")
        for (i = 1; i <= m; i++) { split(code[i], w, " "); op[i - 1] = w[1]; arg[i - 1] = w[2] }
        arg[1] = 11
        for (p = 1; p <= 150; p++) for (q = 1; q <= 150; q++) {
            v["a"] = p; v["b"] = q; sp = 0
            for (pc = 0; op[pc] != "halt"; pc++) {
                steps++
                if (op[pc] == "load") st[++sp] = v[arg[pc]]
                else if (op[pc] == "store") v[arg[pc]] = st[sp--]
                else if (op[pc] == "mod") { sp--; st[sp] = st[sp] % st[sp + 1] }
                else if (op[pc] == "jz") { if (!st[sp--]) pc = arg[pc] - 1 }
                else pc = arg[pc] - 1
            }
            g = v["a"]; if (p % g || q % g) bad++
            for (d = g + 1; d <= p && d <= q; d++) if (p % d == 0 && q % d == 0) bad++
            if (g == 1) coprime++
        }
        print bad + 0, coprime
    }')
    # Coprime pairs to n are twice the sum of totients to n, less one.
    expect "wrong divisors found by the machine, coprime pairs" "$found" "0 13715"
}

"$@"
