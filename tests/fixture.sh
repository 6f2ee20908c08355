#!/bin/sh
# What surrounds the tests of one build.
#   fixture.sh start BUILD [WINE.SH PREFIX]   notes what is there, starts wine's server, measures
#   fixture.sh measure BUILD                  only that
#   fixture.sh end BUILD [WINE.SH PREFIX]     fails if a test left a process, a file or shared memory
set -eu

mode=$1
build=$2
wine=${3:-}
prefix=${4:-}
notes=$build/tests/notes
temporary=$build/tests/tmp

shared_memory() {
    # A browser may come and go here: only what bears the library's name counts.
    find /dev/shm -maxdepth 1 -name '*mproc*' ! -type d 2>/dev/null | sort
}

windows_temporary() {
    [ -z "$prefix" ] || find "$prefix"/drive_c/users/*/Temp "$prefix"/drive_c/users/*/AppData/Local/Temp \
        "$prefix"/drive_c/windows/temp -mindepth 1 2>/dev/null | sort
}

# Processes whose program lies in the build tree. Wine's have a loader as theirs, so there the
# command line tells.
processes() {
    if [ ! -d /proc/self ]; then
        ps -A -o pid= -o args= | awk -v b="$build/" 'index($2, b) == 1'
        return
    fi
    for folder in /proc/[0-9]*; do
        program=$(readlink "$folder/exe" 2>/dev/null) || continue
        case $program in
        "$build"/*) ;;
        */wine*)
            tr '\0\\' ' /' <"$folder/cmdline" 2>/dev/null | grep -qF "$build/bin/" || continue
            ;;
        *) continue ;;
        esac
        printf '%s %s\n' "${folder#/proc/}" "$(tr '\0' ' ' <"$folder/cmdline" 2>/dev/null)"
    done
}

# How fast the machine is: see pace/measure.c.
measure() {
    ${CC:-cc} -O1 -D_GNU_SOURCE -o "$notes/measure" "${0%/*}/pace/measure.c" || return 0
    "$notes/measure" >"$notes/machine"
    cat "$notes/machine"
}

case $mode in
measure)
    mkdir -p "$notes"
    measure
    ;;
start)
    rm -rf "$temporary" "$notes"
    mkdir -p "$temporary" "$notes"
    measure
    [ -z "$wine" ] || "$wine" "$prefix" --start
    shared_memory >"$notes/shm"
    windows_temporary >"$notes/windows"
    ;;
end)
    # A process that was killed may still be on its way out.
    tries=30
    while left=$(processes) && [ -n "$left" ] && [ $tries -gt 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    shared_memory >"$notes/shm.after"
    windows_temporary >"$notes/windows.after"
    # ThreadSanitizer leaves files of its own when a process is killed early.
    files=$(find "$temporary" -mindepth 1 ! -name 'tsan.rodata.*'
        comm -13 "$notes/shm" "$notes/shm.after"
        comm -13 "$notes/windows" "$notes/windows.after")
    [ -z "$wine" ] || "$wine" "$prefix" --stop
    if [ -n "$left$files" ]; then
        echo "The tests left behind:"
        printf '%s\n' "$left" "$files"
        # The next run is not to find them again.
        printf '%s\n' "$left" | while read -r pid rest; do
            [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
        done
        exit 1
    fi
    ;;
esac
