# shellcheck shell=bash
# Sourced by up.sh and down.sh, which set $root.

living() { # process numbers of the cluster's daemons
    local file daemon pid
    for file in "$root"/run/*.pid; do
        daemon=$(basename "$file" .pid)
        pid=$(cat "$file" 2>/dev/null) || continue
        # A number read from a file may by now be another program's, or that of a dead one nobody has asked for
        if grep -qs "^${daemon%%.*}" "/proc/$pid/comm" && [ -n "$(tr -d '\0' <"/proc/$pid/cmdline")" ]; then
            echo "$pid"
        fi
    done
}
