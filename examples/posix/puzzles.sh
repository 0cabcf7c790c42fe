# Puzzles and games whose solutions are known or can be checked: `sh puzzles.sh TEST [SIZE]`.
. ./lib.sh

queens() {
    case $1 in
    6) wanted=4 ;;
    8) wanted=92 ;;
    9) wanted=352 ;;
    10) wanted=724 ;;
    11) wanted=2680 ;;
    12) wanted=14200 ;;
    *) fail "no known count for $1 queens" ;;
    esac
    found=$(awk -v n="$1" 'function place(row,    c) {
        if (row > n) { count++; return }
        for (c = 1; c <= n; c++) if (!column[c] && !up[row + c] && !down[row - c + n]) {
            column[c] = up[row + c] = down[row - c + n] = 1
            place(row + 1)
            column[c] = up[row + c] = down[row - c + n] = 0
        }
    }
    BEGIN { place(1); print count }')
    expect "ways to place $1 queens" "$found" "$wanted"
}

sudoku() {
    awk 'function fits(at, v,    r, c, i, b) {
        r = int(at / 9); c = at % 9; b = int(r / 3) * 27 + int(c / 3) * 3
        for (i = 0; i < 9; i++) if (g[r * 9 + i] == v || g[i * 9 + c] == v || g[b + int(i / 3) * 9 + i % 3] == v) return 0
        return 1
    }
    function solve(    at, i, v, n, least, best) {
        # The cell with the fewest possible digits goes first.
        least = 10; best = -1
        for (at = 0; at < 81; at++) if (g[at] == 0) {
            n = 0
            for (v = 1; v <= 9; v++) if (fits(at, v)) n++
            if (n < least) { least = n; best = at }
        }
        if (best < 0) { solutions++; answer = ""; for (i = 0; i < 81; i++) answer = answer g[i]; return }
        for (v = 1; v <= 9; v++) if (fits(best, v)) { g[best] = v; solve(); g[best] = 0 }
    }
    BEGIN {
        s = "530070000600195000098000060800060003400803001700020006060000280000419005000080079"
        for (i = 0; i < 81; i++) g[i] = substr(s, i + 1, 1) + 0
        solve(); print solutions, answer
    }' >"$work/sudoku"
    expect "sudoku" "$(cat "$work/sudoku")" \
        "1 534678912672195348198342567859761423426853791713924856961537284287419635345286179"
}

tours() {
    found=$(awk 'function go(r, c, k,    i, y, x) {
        if (k == rows * columns) { count++; return }
        for (i = 1; i <= 8; i++) {
            y = r + dy[i]; x = c + dx[i]
            if (y > 0 && x > 0 && y <= rows && x <= columns && !seen[y, x]) { seen[y, x] = 1; go(y, x, k + 1); seen[y, x] = 0 }
        }
    }
    function tours(a, b,    r, c) {
        rows = a; columns = b; count = 0
        for (r = 1; r <= rows; r++) for (c = 1; c <= columns; c++) { seen[r, c] = 1; go(r, c, 1); seen[r, c] = 0 }
        return count
    }
    BEGIN { split("1 2 2 1 -1 -2 -2 -1", dy); split("2 1 -1 -2 -2 -1 1 2", dx); print tours(3, 4), tours(3, 7) }')
    expect "knight tours of 3x4 and 3x7 boards" "$found" "16 104"
}

# Warnsdorff: always to the square with the fewest ways on. The tour found is then checked move by move.
knight() {
    awk 'function ways(r, c,    i, y, x, k) {
        for (i = 1; i <= 8; i++) { y = r + dy[i]; x = c + dx[i]; if (y > 0 && x > 0 && y <= n && x <= n && !((y, x) in seen)) k++ }
        return k + 0
    }
    BEGIN {
        n = 8; split("1 2 2 1 -1 -2 -2 -1", dy); split("2 1 -1 -2 -2 -1 1 2", dx)
        r = c = 1; seen[1, 1]; print 1, 1
        for (k = 2; k <= n * n; k++) {
            least = 9; best = 0
            for (i = 1; i <= 8; i++) {
                y = r + dy[i]; x = c + dx[i]
                if (y > 0 && x > 0 && y <= n && x <= n && !((y, x) in seen) && (w = ways(y, x)) < least) { least = w; best = i }
            }
            if (!best) exit
            r += dy[best]; c += dx[best]; seen[r, c]; print r, c
        }
    }' >"$work/tour"
    expect "squares of the tour" "$(sort -u "$work/tour" | wc -l | tr -d ' ')" 64
    wrong=$(awk 'NR > 1 { a = $1 - r; b = $2 - c; if (a * a + b * b != 5) bad++ } { r = $1; c = $2 } END { print bad + 0 }' "$work/tour")
    expect "moves that are no knight's" "$wrong" 0
}

hanoi() {
    awk 'function move(n, a, b, c) { if (!n) return; move(n - 1, a, c, b); print a, b; move(n - 1, c, b, a) }
        BEGIN { move(17, 1, 3, 2) }' >"$work/moves"
    found=$(awk 'BEGIN { for (i = 17; i; i--) peg[1, ++h[1]] = i }
        { d = peg[$1, h[$1]--]; if (h[$2] && peg[$2, h[$2]] < d) bad++; peg[$2, ++h[$2]] = d }
        END { print NR, bad + 0, h[3] }' "$work/moves")
    expect "moves, illegal ones, height of the target" "$found" "131071 0 17"
}

# life GENERATIONS ROWS…: prints the living cells, normalised to the smallest row and column
life_after() {
    generations=$1
    shift
    printf '%s\n' "$@" | awk -v gens="$generations" '
        { for (i = 1; i <= length($0); i++) if (substr($0, i, 1) == "#") live[NR, i] }
        END {
            for (g = 0; g < gens; g++) {
                split("", n)
                for (k in live) { split(k, p, SUBSEP); for (y = -1; y <= 1; y++) for (x = -1; x <= 1; x++) if (y || x) n[p[1] + y, p[2] + x]++ }
                split("", next_live)
                for (k in n) if (n[k] == 3 || (n[k] == 2 && (k in live))) next_live[k]
                split("", live)
                for (k in next_live) live[k]
            }
            for (k in live) { split(k, p, SUBSEP); print p[1], p[2] }
        }' | sort -n -k1,1 -k2,2
}

oscillators() {
    pulsar='..###...###..|.............|#....#.#....#|#....#.#....#|#....#.#....#|..###...###..|.............|..###...###..|#....#.#....#|#....#.#....#|#....#.#....#|.............|..###...###..'
    penta='..#....#..|##.####.##|..#....#..'
    for case in "blinker 2 ###" "toad 2 .###|###." "pulsar 3 $pulsar" "pentadecathlon 15 $penta"; do
        # The words of a case are its name, its period and its rows.
        set -- $case
        rows=$(printf '%s' "$3" | tr '|' '\n')
        life_after 0 "$rows" >"$work/start"
        period=0
        for g in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            life_after "$g" "$rows" >"$work/now"
            if cmp -s "$work/start" "$work/now"; then
                period=$g
                break
            fi
        done
        expect "period of the $1" "$period" "$2"
    done
}

glider() {
    life_after 0 '.#.' '..#' '###' | awk '{ print $1 + 25, $2 + 25 }' >"$work/wanted"
    life_after 100 '.#.' '..#' '###' >"$work/found"
    same "a glider after 100 generations is 25 cells further down and right" "$work/found" "$work/wanted"
}

methuselah() {
    found=$(life_after 1103 '.##' '##.' '.#.' | wc -l | tr -d ' ')
    expect "cells of the R-pentomino when it settles" "$found" 116
}

permutations() {
    awk 'function swap(i, j, t) { t = a[i]; a[i] = a[j]; a[j] = t }
    function heap(k,    i) {
        if (k == 1) { s = ""; fixed = 0; for (i = 1; i <= n; i++) { s = s a[i]; fixed += a[i] == i } print s, fixed; return }
        for (i = 1; i <= k; i++) { heap(k - 1); if (i < k) { if (k % 2) swap(1, k); else swap(i, k) } }
    }
    BEGIN { n = 8; for (i = 1; i <= n; i++) a[i] = i; heap(n) }' >"$work/all"
    expect "different permutations of 8" "$(sort -u "$work/all" | wc -l | tr -d ' ')" 40320
    expect "of which derangements" "$(awk '$2 == 0' "$work/all" | wc -l | tr -d ' ')" 14833
}

magic() {
    found=$(awk 'function try(k,    v) {
        if (k == 4 && m[1] + m[2] + m[3] != 15) return
        if (k == 7 && m[4] + m[5] + m[6] != 15) return
        if (k == 10) {
            for (v = 1; v <= 3; v++) if (m[v] + m[v + 3] + m[v + 6] != 15) return
            if (m[1] + m[5] + m[9] == 15 && m[3] + m[5] + m[7] == 15) squares++
            return
        }
        for (v = 1; v <= 9; v++) if (!used[v]) { used[v] = 1; m[k] = v; try(k + 1); used[v] = 0 }
    }
    BEGIN { try(1); print squares }')
    expect "magic squares of order 3" "$found" 8
}

money() {
    found=$(awk 'function value(w,    i, v) { for (i = 1; i <= length(w); i++) v = v * 10 + d[substr(w, i, 1)]; return v }
    function try(k,    v) {
        # Columns from the right must add up as soon as their letters are known: D E Y, N R, O, S M.
        if (k == 4 && (d["D"] + d["E"] - d["Y"]) % 10) return
        if (k == 6 && (value("ND") + value("RE") - value("EY")) % 100) return
        if (k == 7 && (value("END") + value("ORE") - value("NEY")) % 1000) return
        if (k == 9) { if (d["S"] && d["M"] && value("SEND") + value("MORE") == value("MONEY")) { n++; at = value("SEND") " " value("MORE") } return }
        for (v = 0; v <= 9; v++) if (!used[v]) { used[v] = 1; d[letter[k]] = v; try(k + 1); used[v] = 0 }
    }
    BEGIN { split("D E Y N R O S M", letter); try(1); print n, at }')
    expect "SEND + MORE = MONEY" "$found" "1 9567 1085"
}

josephus() {
    found=$(awk 'BEGIN {
        for (n = 1; n <= 500; n++) {
            for (k = 2; k <= 5; k++) {
                split("", nxt)
                for (i = 1; i <= n; i++) nxt[i] = i % n + 1
                at = n
                for (left = n; left > 1; left--) { for (i = 1; i < k; i++) at = nxt[at]; nxt[at] = nxt[nxt[at]] }
                f = 0; for (i = 2; i <= n; i++) f = (f + k) % i
                if (f + 1 != at) bad++
                if (n == 41 && k == 3) known = at
            }
        }
        print bad + 0, known
    }')
    expect "survivors that differ from the recurrence; of 41 by 3" "$found" "0 31"
}

tilings() {
    found=$(awk 'function fill(col, mask, nxt, count) {
        if (col == 8) { to[nxt] += count; return }
        if (int(mask / two[col]) % 2) { fill(col + 1, mask, nxt, count); return }
        fill(col + 1, mask, nxt + two[col], count)
        if (col < 7 && !(int(mask / two[col + 1]) % 2)) fill(col + 2, mask, nxt, count)
    }
    BEGIN {
        two[0] = 1; for (i = 1; i < 9; i++) two[i] = 2 * two[i - 1]
        ways[0] = 1
        for (row = 0; row < 8; row++) { split("", to); for (m in ways) fill(0, m + 0, 0, ways[m]); split("", ways); for (m in to) ways[m] = to[m] }
        print ways[0]
    }')
    expect "domino tilings of a chessboard" "$found" 12988816
}

maze() {
    awk -v n=61 'function roll(k) { x = (x * 16807) % 2147483647; return x % k }
    BEGIN {
        x = 2024; split("0 1 0 -1", dy); split("1 0 -1 0", dx)
        # A depth-first walk carves a maze in which exactly one path joins any two cells.
        sp = 1; sy[1] = sx[1] = 1; open[1, 1]; rooms = 1
        while (sp) {
            y = sy[sp]; c = sx[sp]; k = 0
            for (i = 1; i <= 4; i++) { a = y + 2 * dy[i]; b = c + 2 * dx[i]; if (a > 0 && b > 0 && a <= n && b <= n && !((a, b) in open)) way[k++] = i }
            if (!k) { sp--; continue }
            i = way[roll(k)]; a = y + 2 * dy[i]; b = c + 2 * dx[i]
            open[y + dy[i], c + dx[i]]; open[a, b]; rooms++; sp++; sy[sp] = a; sx[sp] = b
        }
        # Shortest path by breadth first, and the path that is left when dead ends are filled.
        head = 1; qy[1] = qx[1] = 1; tail = 1; dist[1, 1] = 1
        while (head <= tail) { y = qy[head]; c = qx[head++]; for (i = 1; i <= 4; i++) { a = y + dy[i]; b = c + dx[i]; if (((a, b) in open) && !((a, b) in dist)) { dist[a, b] = dist[y, c] + 1; qy[++tail] = a; qx[tail] = b } } }
        do {
            filled = 0
            for (y = 1; y <= n; y++) for (c = 1; c <= n; c++) if (((y, c) in open) && (y + c > 2) && (y + c < 2 * n)) {
                exits = 0
                for (i = 1; i <= 4; i++) if ((y + dy[i], c + dx[i]) in open) exits++
                if (exits < 2) { delete open[y, c]; filled = 1 }
            }
        } while (filled)
        for (k in open) left++
        n2 = (n + 1) / 2
        print rooms - n2 * n2, tail - (2 * n2 * n2 - 1), left - dist[n, n]
    }' >"$work/maze"
    expect "rooms missed, loops, difference of the two paths" "$(cat "$work/maze")" "0 0 0"
}

knapsack() {
    awk 'function roll(k) { x = (x * 16807) % 2147483647; return x % k + 1 }
    BEGIN {
        x = 7; n = 14; cap = 120
        for (round = 0; round < 10; round++) {
            for (i = 1; i <= n; i++) { w[i] = roll(30); v[i] = roll(100) }
            split("", best)
            for (i = 1; i <= n; i++) for (c = cap; c >= w[i]; c--) if (best[c - w[i]] + v[i] > best[c]) best[c] = best[c - w[i]] + v[i]
            top = 0
            for (m = 0; m < 2 ^ n; m++) {
                tw = tv = 0; b = m
                for (i = 1; b; i++) { if (b % 2) { tw += w[i]; tv += v[i] } b = int(b / 2) }
                if (tw <= cap && tv > top) top = tv
            }
            if (top != best[cap]) bad++
        }
        print bad + 0
    }' >"$work/knapsack"
    expect "knapsacks packed worse by the table than by trying all" "$(cat "$work/knapsack")" 0
}

"$@"
