#!/bin/sh
# Starts loops that keep processors busy until the process that has called this ends.
#   busy.sh COUNT
count=$1
while [ "$count" -gt 0 ]; do
    while kill -0 "$PPID" 2>/dev/null; do
        turn=0
        while [ $turn -lt 100000 ]; do
            turn=$((turn + 1))
        done
    done &
    count=$((count - 1))
done
