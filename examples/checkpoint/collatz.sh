#!/bin/sh
# Counts Collatz steps (halve an even number, take 3n+1 of an odd one, until 1) for every number below a limit, and tells
# the longest chain so far every 1000 numbers. About a minute for each 60000 numbers.
#
#   sh collatz.sh 60000
#
# It saves its state when it is told to (SIGTERM) and goes on from there when it is begun again, so that all it prints,
# taken together, is the same however often it was moved.
set -eu

limit=${1:?"say up to which number, such as 60000"}
state=${EVENKEEL_CHECKPOINT_DIR:-.}/collatz.state
next=1 best=1 most=0 total=0 stop=

if [ "${EVENKEEL_ATTEMPT:-1}" -gt 1 ] && [ -s "$state" ]; then
    read -r next best most total <"$state"
fi
# Only a wish: what has been counted by half cannot be saved.
trap 'stop=1' TERM

while [ "$next" -lt "$limit" ]; do
    if [ -n "$stop" ]; then
        # Whole or not at all, should this be killed in the middle.
        echo "$next $best $most $total" >"$state.new"
        mv "$state.new" "$state"
        exit 75
    fi
    n=$next steps=0
    while [ "$n" -gt 1 ]; do
        if [ $((n % 2)) -eq 0 ]; then n=$((n / 2)); else n=$((3 * n + 1)); fi
        steps=$((steps + 1))
    done
    if [ "$steps" -gt "$most" ]; then most=$steps best=$next; fi
    total=$((total + steps))
    if [ $((next % 1000)) -eq 0 ]; then echo "to $next: the longest chain is that of $best, $most steps"; fi
    next=$((next + 1))
done
echo "below $limit: the longest chain is that of $best, $most steps; $total steps in all"
