# Graph algorithms, two independent ones for each question: `sh graphs.sh TEST`.
. ./lib.sh

roll='function roll(k) { x = (x * 16807) % 2147483647; return x % k }
'

shortest() {
    awk "$roll"'BEGIN {
        x = 101; n = 70; inf = 1000000000
        for (i = 1; i <= n; i++) for (j = 1; j <= n; j++) d[i, j] = i == j ? 0 : inf
        for (e = 0; e < 6 * n; e++) { a = roll(n) + 1; b = roll(n) + 1; w = roll(100) + 1; if (w < d[a, b]) d[a, b] = w }
        for (k in d) g[k] = d[k]
        for (k = 1; k <= n; k++) for (i = 1; i <= n; i++) if (d[i, k] < inf) for (j = 1; j <= n; j++) if (d[i, k] + d[k, j] < d[i, j]) d[i, j] = d[i, k] + d[k, j]
        for (s = 1; s <= n; s++) {
            split("", done); for (i = 1; i <= n; i++) far[i] = inf
            far[s] = 0
            for (r = 0; r < n; r++) {
                u = 0; for (i = 1; i <= n; i++) if (!(i in done) && (!u || far[i] < far[u])) u = i
                done[u]
                for (i = 1; i <= n; i++) if (far[u] + g[u, i] < far[i]) far[i] = far[u] + g[u, i]
            }
            for (i = 1; i <= n; i++) { pairs++; if (far[i] != d[s, i]) bad++ }
        }
        print pairs, bad + 0
    }' >"$work/out"
    expect "pairs, distances on which Dijkstra and Floyd differ" "$(cat "$work/out")" "4900 0"
}

spanning() {
    awk "$roll"'function root(v) { while (up[v] != v) { up[v] = up[up[v]]; v = up[v] } return v }
    BEGIN {
        x = 102; n = 300
        for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (j == i + 1 || roll(4) == 0) { w = roll(500) + 1; m++; wt[m] = w; ea[m] = i; eb[m] = j; g[i, j] = g[j, i] = w; at[w] = at[w] " " m }
        for (i = 1; i <= n; i++) up[i] = i
        for (w = 1; w <= 500; w++) { k = split(at[w], ids); for (i = 1; i <= k; i++) { a = root(ea[ids[i]]); b = root(eb[ids[i]]); if (a != b) { up[a] = b; kruskal += w; edges++ } } }
        near[1] = 0
        for (r = 1; r <= n; r++) {
            u = 0; for (i in near) if (!(i in tree) && (!u || near[i] < near[u])) u = i
            tree[u]; prim += near[u]
            for (i = 1; i <= n; i++) if (((u, i) in g) && !(i in tree) && (!(i in near) || g[u, i] < near[i])) near[i] = g[u, i]
        }
        print edges, kruskal - prim
    }' >"$work/out"
    expect "edges of the tree, Kruskal less Prim" "$(cat "$work/out")" "299 0"
}

topological() {
    awk "$roll"'BEGIN { x = 103; n = 600; for (e = 0; e < 4000; e++) { a = roll(n); b = roll(n); if (a < b) print "v" (a * 7) % 601, "v" (b * 7) % 601 } }' >"$work/edges"
    tsort "$work/edges" >"$work/order"
    awk 'NR == FNR { place[$1] = NR; next } { if (!($1 in place) || !($2 in place) || place[$1] >= place[$2]) bad++ } END { print bad + 0 }' "$work/order" "$work/edges" >"$work/out"
    expect "edges against the order of tsort" "$(cat "$work/out")" 0
}

flow() {
    awk "$roll"'BEGIN {
        x = 104; n = 40
        for (e = 0; e < 260; e++) { a = roll(n) + 1; b = roll(n) + 1; if (a != b) { w = roll(30) + 1; c[a, b] += w; cap[a, b] += w } }
        while (1) {
            split("", from); head = tail = 1; q[1] = 1; from[1] = 0
            while (head <= tail && !(n in from)) { u = q[head++]; for (v = 1; v <= n; v++) if (!(v in from) && c[u, v] > 0) { from[v] = u; q[++tail] = v } }
            if (!(n in from)) break
            f = 1000000; for (v = n; from[v]; v = from[v]) if (c[from[v], v] < f) f = c[from[v], v]
            for (v = n; from[v]; v = from[v]) { c[from[v], v] -= f; c[v, from[v]] += f }
            flow += f; rounds++
        }
        for (k in cap) { split(k, p, SUBSEP); if ((p[1] in from) && !(p[2] in from)) cut += cap[k] }
        print flow - cut, (flow > 0 && rounds > 3)
    }' >"$work/out"
    expect "greatest flow less smallest cut" "$(cat "$work/out")" "0 1"
}

matching() {
    awk "$roll"'function augment(u,    v) { for (v = 1; v <= n; v++) if (g[u, v] && !(v in tried)) { tried[v]; if (!mate[v] || augment(mate[v])) { mate[v] = u; return 1 } } return 0 }
    function best(u, used,    v, t, b) { if (u > n) return 0; b = best(u + 1, used); for (v = 1; v <= n; v++) if (g[u, v] && !int(used / 2 ^ v % 2)) { t = 1 + best(u + 1, used + 2 ^ v); if (t > b) b = t } return b }
    BEGIN {
        x = 105; n = 7
        for (r = 0; r < 200; r++) {
            split("", g); split("", mate); size = 0
            for (e = 0; e < 14; e++) g[roll(n) + 1, roll(n) + 1] = 1
            for (u = 1; u <= n; u++) { split("", tried); size += augment(u) }
            if (size != best(1, 0)) bad++
        }
        print bad + 0
    }' >"$work/out"
    expect "matchings smaller than the best of all" "$(cat "$work/out")" 0
}

components() {
    awk "$roll"'function root(v) { while (up[v] != v) { up[v] = up[up[v]]; v = up[v] } return v }
    BEGIN {
        x = 106; n = 50000
        for (i = 0; i < n; i++) up[i] = i
        for (e = 0; e < n * 0.6; e++) { a = roll(n); b = roll(n); adj[a] = adj[a] " " b; adj[b] = adj[b] " " a; p = root(a); q = root(b); if (p != q) up[p] = q }
        for (i = 0; i < n; i++) if (root(i) == i) sets++
        for (i = 0; i < n; i++) if (!(i in seen)) { walks++; sp = 1; stack[1] = i; seen[i]; while (sp) { u = stack[sp--]; k = split(adj[u], to); for (j = 1; j <= k; j++) if (!(to[j] in seen)) { seen[to[j]]; stack[++sp] = to[j] } } }
        print sets - walks, (sets < n && sets > 1)
    }' >"$work/out"
    expect "components by union less components by walking" "$(cat "$work/out")" "0 1"
}

salesman() {
    awk "$roll"'function perms(k, at, len,    i) { if (len >= best) return; if (k == n) { if (len + d[at, 1] < best) best = len + d[at, 1]; return } for (i = 2; i <= n; i++) if (!used[i]) { used[i] = 1; perms(k + 1, i, len + d[at, i]); used[i] = 0 } }
    BEGIN {
        x = 107; n = 11
        for (i = 1; i <= n; i++) for (j = 1; j < i; j++) d[i, j] = d[j, i] = roll(200) + 1
        best = 1000000; perms(1, 1, 0)
        full = 2 ^ (n - 1) - 1; inf = 1000000
        for (m = 1; m <= full; m++) for (j = 2; j <= n; j++) {
            bit = 2 ^ (j - 2); if (int(m / bit) % 2 == 0) continue
            rest = m - bit; b = rest ? inf : d[1, j]
            for (k = 2; k <= n; k++) if (int(rest / 2 ^ (k - 2)) % 2 && t[rest, k] + d[k, j] < b) b = t[rest, k] + d[k, j]
            t[m, j] = b
        }
        short = inf; for (j = 2; j <= n; j++) if (t[full, j] + d[j, 1] < short) short = t[full, j] + d[j, 1]
        print short - best
    }' >"$work/out"
    expect "round trip by Held and Karp less by trying all" "$(cat "$work/out")" 0
}

colouring() {
    found=$(awk 'function paint(v, k,    c, i, ok) { if (v > 9) { count++; return } for (c = 0; c < k; c++) { ok = 1; for (i = 0; i < v; i++) if (g[v, i] && colour[i] == c) { ok = 0; break } if (ok) { colour[v] = c; paint(v + 1, k) } } }
    BEGIN {
        for (i = 0; i < 5; i++) { join(i, (i + 1) % 5); join(i, i + 5); join(5 + i, 5 + (i + 2) % 5) }
        paint(0, 2); two = count + 0; count = 0; paint(0, 3); three = count; count = 0; paint(0, 4); print two, three, count
    }
    function join(a, b) { g[a, b] = g[b, a] = 1 }')
    expect "ways to colour the Petersen graph with 2, 3, 4 colours" "$found" "0 120 12960"
}

pagerank() {
    awk "$roll"'BEGIN {
        x = 108; n = 1500
        for (i = 0; i < n; i++) { out[i] = 3 + roll(5); for (k = 1; k <= out[i]; k++) to[i, k] = roll(n); r[i] = 1 / n }
        for (t = 0; t < 60; t++) {
            for (i = 0; i < n; i++) s[i] = 0.15 / n
            for (i = 0; i < n; i++) for (k = 1; k <= out[i]; k++) s[to[i, k]] += 0.85 * r[i] / out[i]
            moved = sum = 0
            for (i = 0; i < n; i++) { moved += s[i] > r[i] ? s[i] - r[i] : r[i] - s[i]; r[i] = s[i]; sum += r[i] }
        }
        printf "%.6f %d\n", sum, (moved < 0.000001)
    }' >"$work/out"
    expect "sum of ranks, and that they have settled" "$(cat "$work/out")" "1.000000 1"
}

"$@"
