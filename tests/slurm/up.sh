#!/usr/bin/env bash
# A private SLURM cluster on this machine: three virtual nodes with fake CPUs and GPUs, everything on loopback and
# under one folder. It installs nothing. Exit status 3: this machine cannot have one, the message says why.
# usage: up.sh [--no-accounting] [--cgroups] [--for-tests]
set -euo pipefail

here=$(dirname "$0")
root=${TMPDIR:-/tmp}/entropy-sums-slurm
# shellcheck source=tests/slurm/daemons.sh
source "$here"/daemons.sh
nodes="n1 n2 n3"
accounting=yes
cgroups=no
tests=no
for option in "$@"; do
    case $option in
    --no-accounting) accounting=no ;;
    --cgroups) cgroups=yes ;;
    --for-tests) tests=yes ;;
    *) echo "unknown option $option (known: --no-accounting, --cgroups, --for-tests)" >&2 && exit 2 ;;
    esac
done

cannot() {
    echo "no private SLURM cluster: $*" >&2
    exit 3
}
packages=(slurm-wlm munge)
programs=(munged slurmctld slurmd sbatch)
if [ "$accounting" = yes ]; then
    packages+=(slurmdbd mariadb-server)
    programs+=(slurmdbd mariadbd mariadb-install-db)
fi
PATH=$PATH:/usr/sbin:/sbin
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null ||
        cannot "$program is missing; on Debian: apt-get install --no-install-recommends ${packages[*]}"
done
[ "$(id -u)" = 0 ] || cannot "its daemons need root: sudo make slurm-up"
# The plugin's inner srun loses SLURM_CONF, so the default place must lead to our file.
link=/etc/slurm/slurm.conf
[ ! -e "$link" ] || [ -L "$link" ] || cannot "$link belongs to another cluster"
# Who was killed, or lost the machine, could not clear up. Of tests only those that hold their lock come this far, so
# another cluster of tests is nobody's, even if its daemons live.
if [ -e "$root" ]; then
    { [ "$tests" = yes ] && [ -e "$root/tests" ]; } || [ -z "$(living)" ] ||
        cannot "$root is there: a cluster is up (make slurm-down)"
    echo "clearing $root, which a killed run left"
    "$here"/down.sh
fi
! (: <>/dev/tcp/127.0.0.1/16817) 2>/dev/null || cannot "port 16817 of this machine is in use"

host=$(hostname -s)
mkdir -p "$root"/{etc,gpu,log,run,spool,state}
[ "$tests" = no ] || touch "$root/tests"
chmod 755 "$root" "$root"/*
conf=$root/etc/slurm.conf
export SLURM_CONF=$conf

wait_for() { # seconds, command
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "waited in vain for: $* (logs: $root/log)" >&2 && exit 1; }
        sleep 0.1
    done
}

# munge proves who sends a message: our own key and socket, beside the system's
(umask 077 && head -c 128 /dev/urandom >"$root/etc/munge.key")
munged --force --key-file="$root/etc/munge.key" --socket="$root/run/munge.socket" --pid-file="$root/run/munged.pid" \
    --log-file="$root/log/munged.log" --seed-file="$root/state/munge.seed"
wait_for 10 munge --no-input --socket="$root/run/munge.socket"

storage="AccountingStorageType=accounting_storage/none"
if [ "$accounting" = yes ]; then
    # On loopback its root needs no password: there is nothing in it but our fake jobs
    mariadb-install-db --no-defaults --user=root --datadir="$root/mariadb" --skip-test-db \
        --auth-root-authentication-method=normal >"$root/log/mariadb-install.log" 2>&1
    setsid mariadbd --no-defaults --user=root --datadir="$root/mariadb" --socket="$root/run/mariadb.socket" \
        --bind-address=127.0.0.1 --port=16818 --skip-name-resolve --pid-file="$root/run/mariadbd.pid" --innodb-lock-wait-timeout=900 \
        >"$root/log/mariadbd.log" 2>&1 </dev/null &
    wait_for 30 mariadb-admin --no-defaults --user=root --socket="$root/run/mariadb.socket" ping
    cat >"$root/etc/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$root/run/munge.socket
DbdHost=$host
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
LogFile=$root/log/slurmdbd.log
PidFile=$root/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageUser=root
StorageHost=127.0.0.1
StoragePort=16818
StorageLoc=slurm
END
    chmod 600 "$root/etc/slurmdbd.conf"
    storage="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass=$root/run/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations"
fi

if [ "$cgroups" = yes ]; then # the kernel keeps jobs within their memory
    tracking="ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup"
    printf 'CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\n' >"$root/etc/cgroup.conf"
else # SLURM looks every second and ends what has more
    tracking="ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill"
fi

cat >"$conf" <<END
ClusterName=private
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
AuthType=auth/munge
AuthInfo=socket=$root/run/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$root/state
SlurmdSpoolDir=$root/spool/%n
SlurmctldPidFile=$root/run/slurmctld.pid
SlurmdPidFile=$root/run/slurmd.%n.pid
SlurmctldLogFile=$root/log/slurmctld.log
SlurmdLogFile=$root/log/slurmd.%n.log
$storage
$tracking
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
SlurmdTimeout=4
MessageTimeout=2
TCPTimeout=1
KillWait=5
OverTimeLimit=0
GresTypes=gpu
END
for node in $nodes; do
    echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=1710${node#n} CPUs=4 RealMemory=16000 Gres=gpu:fake:2"
done >>"$conf"
cat >>"$conf" <<END
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=500
PartitionName=gpu Nodes=ALL MaxTime=1-0 DefMemPerCPU=500
END
for node in $nodes; do
    # SLURM wants character devices: these are copies of /dev/null
    mknod "$root/gpu/$node-0" c 1 3
    mknod "$root/gpu/$node-1" c 1 3
    echo "NodeName=$node Name=gpu Type=fake File=$root/gpu/$node-[0-1]"
done >"$root/etc/gres.conf"
mkdir -p "$(dirname "$link")"
ln -sfn "$conf" "$link"

if [ "$accounting" = yes ]; then
    slurmdbd
    wait_for 30 sacctmgr --noheader show cluster
    # The one who typed sudo submits as himself
    {
        sacctmgr --immediate add cluster private
        sacctmgr --immediate add account study
        sacctmgr --immediate add user "root${SUDO_USER:+,$SUDO_USER}" account=study
    } >"$root/log/sacctmgr.log"
fi
slurmctld -i
for node in $nodes; do slurmd -N "$node"; done
all_idle() { [ "$(sinfo --noheader --Node --partition=cpu --format=%T | grep -c '^idle$')" = "$(wc -w <<<"$nodes")" ]; }
wait_for 30 all_idle

sinfo
cat <<END
The cluster is up (folder $root). For example:
    export SBATCH_ACCOUNT=study SBATCH_PARTITION=cpu
    snakemake --profile slurm
    squeue
    make slurm-down
END
