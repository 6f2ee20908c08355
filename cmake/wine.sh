#!/bin/sh
# Runs Windows programs in a wine of the build's own.
#   wine.sh PREFIX --start                 makes the prefix if need be and starts wine's server
#   wine.sh PREFIX PROGRAM [ARGUMENT...]
#   wine.sh PREFIX --stop
# Start and stop are worth it for more than one program: a server that runs already saves each of
# them seconds.
set -eu

mkdir -p "$1"
WINEPREFIX=$(cd "$1" && pwd)
shift

# The files behind shared sections lie in TMPDIR, and a memory file system is ten times faster. One
# prefix has always the same, or else two servers would run on it.
temporary=/dev/shm/mproc-wine-$(printf %s "$WINEPREFIX" | cksum | cut -d' ' -f1)
room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
if [ "${room:-0}" -lt 1048576 ]; then
    temporary=$WINEPREFIX/tmp
fi
mkdir -p "$temporary"
TMPDIR=$temporary

# No Mono, no Gecko, and no debugger that adds a second to each crash.
WINEDLLOVERRIDES='mscoree,mshtml=;winedbg.exe=d'
WINEDEBUG=-all
LC_ALL=C.UTF-8
export WINEPREFIX TMPDIR WINEDLLOVERRIDES WINEDEBUG LC_ALL

case ${1:-} in
--start)
    if [ ! -f "$WINEPREFIX/ready" ]; then
        wine wineboot --init >/dev/null 2>&1 </dev/null
        wine winecfg -v win10 >/dev/null 2>&1 </dev/null
        wineserver -w
        : >"$WINEPREFIX/ready"
    fi
    # The first program starts services that live on: they must not inherit the caller's pipes.
    # It ends by itself some minutes after a run that was cut short.
    wineserver -p300 >/dev/null 2>&1 </dev/null || : # one of a run that was cut short may live
    wine cmd /c exit >/dev/null 2>&1 </dev/null
    ;;
--stop)
    wineserver -k >/dev/null 2>&1 || :
    wineserver -w
    rm -rf "$temporary"
    ;;
*)
    exec wine "$@"
    ;;
esac
