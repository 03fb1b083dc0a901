#!/usr/bin/env bash
# End the private cluster of up.sh: its jobs, its daemons, its folder.
set -uo pipefail

root=${TMPDIR:-/tmp}/entropy-sums-slurm
# shellcheck source=tests/slurm/daemons.sh
source "$(dirname "$0")"/daemons.sh
link=/etc/slurm/slurm.conf
PATH=$PATH:/usr/sbin:/sbin
export SLURM_CONF=$root/etc/slurm.conf
[ -d "$root" ] || exit 0

# Jobs first: the process that watches a job outlives the daemon that started it.
for _ in $(seq 30); do
    jobs=$(timeout 5 squeue --noheader --format=%A 2>/dev/null) || break
    [ -n "$jobs" ] || break
    # shellcheck disable=SC2086 # several numbers
    timeout 5 scancel --quiet --signal=KILL --full $jobs
    timeout 5 scancel --quiet $jobs
    sleep 0.5
done

# At once: what they would write on a polite request goes with the folder
for pid in $(living); do
    kill -KILL "$pid"
done
# Watchers of jobs whose controller was killed, and children of jobs killed at an unlucky moment, have no daemon to
# end them; they are known by their environment.
for environ in $(env -u SLURM_CONF grep -lsz "^SLURM_CONF=$SLURM_CONF$" /proc/[0-9]*/environ | tr '\0' '\n'); do
    kill -KILL "$(basename "$(dirname "$environ")")" 2>/dev/null
done
[ "$(readlink "$link")" != "$SLURM_CONF" ] || rm "$link"
rm -rf "$root"
