#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cluster.sh - a real Slurm for tests: munged, slurmctld and two slurmd (n1, n2) on one machine.
#
#   cluster.sh start DIR          brings it up, returns once both nodes are idle; clients need
#                                 SLURM_CONF=DIR/slurm.conf and nothing else
#   cluster.sh node DIR n1|n2     starts that node's slurmd again
#   cluster.sh stop DIR           ends it and its jobs, removes DIR
#
# Exit code 77, with the reason, where it cannot run. start first ends and removes what an earlier
# start has left in DIR. Everything lies below DIR, ports are free ones, munged has a socket of its
# own: several clusters, and one that the machine belongs to, stand side by side. No systemd.
#
# What two nodes on one machine need: one NodeHostname and NodeAddr, ports of their own; %n in each
# path, in TmpFS too; processes tracked by parenthood, not cgroup; config_overrides, since both
# claim the same cores. A requeued job waits for its last credential to expire, hence cred_expire.
set -euo pipefail

nodes=(n1 n2)
cores=2

fail() {
    echo "cluster.sh: $*" >&2
    exit 1
}

skip() {
    echo "cluster.sh: cannot run here: $*" >&2
    exit 77
}

need_programs() {
    local program
    [ "$(id -u)" -eq 0 ] || skip "a Slurm of its own needs root"
    for program in munged slurmctld slurmd sbatch python3; do
        command -v "$program" >/dev/null ||
            skip "there is no $program; scripts/install-deps.sh build test installs it"
    done
    [ "$(nproc)" -ge "$cores" ] || skip "a node has $cores cores, this machine only $(nproc)"
}

# Outside the range that the kernel hands out by itself.
free_ports() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("", random.randrange(20000, 30000)))
        held.append(s)
    except OSError:
        s.close()
print(*(s.getsockname()[1] for s in held))
PYTHON
}

write_conf() {
    local host ports
    host=$(hostname -s)
    read -r -a ports < <(free_ports 3)
    cat >"$dir/slurm.conf" <<CONF
ClusterName=assay
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/%n/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/%n/slurmd.log
TmpFS=$dir/%n/tmp
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=30
SlurmdTimeout=60
DefMemPerCPU=256
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=$cores RealMemory=8192
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=$cores RealMemory=8192
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
}

await() { # await SECONDS COMMAND...
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

both_idle() {
    [ "$(sinfo -h -N -o %T 2>/dev/null | sort | uniq -c | tr -s ' ')" = " ${#nodes[@]} idle" ]
}

# A job's processes do not inherit from the daemons: they have the client's SLURM_CONF, and a job.
# slurmstepd writes its title over its environment, and works in the folder of its node.
mine() {
    local environ pid
    for environ in /proc/[0-9]*/environ; do
        pid=${environ//[!0-9]/}
        if grep -qszFx "ASSAY_TEST_CLUSTER=$dir" "$environ" ||
            [[ $(readlink "/proc/$pid/cwd") == "$dir"/n[0-9]* ]] ||
            { grep -qszFx "SLURM_CONF=$dir/slurm.conf" "$environ" &&
                grep -qsz '^SLURM_JOB_ID=' "$environ"; }; then
            [ "$pid" = $$ ] || echo "$pid"
        fi
    done 2>/dev/null
}

none_left() {
    local pids
    mapfile -t pids < <(mine)
    [ "${#pids[@]}" -eq 0 ] || { kill -KILL "${pids[@]}" 2>/dev/null && false; }
}

daemon() {
    ASSAY_TEST_CLUSTER=$dir SLURM_CONF=$dir/slurm.conf "$@" </dev/null ||
        fail "$1 does not start, its log is in $dir"
}

start_node() {
    daemon slurmd -N "$1" -f "$dir/slurm.conf"
}

start() {
    local node
    need_programs
    stop
    mkdir -m 0755 -p "$dir/state"
    for node in "${nodes[@]}"; do
        mkdir -p "$dir/$node/spool" "$dir/$node/tmp"
    done
    write_conf
    (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
    # The folder may lie below one that others may write to, which munged warns of.
    daemon munged --force --socket="$dir/munge.socket" --key-file="$dir/munge.key" \
        --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munged.seed" \
        2>>"$dir/munged.log"
    daemon slurmctld -c -f "$dir/slurm.conf"
    for node in "${nodes[@]}"; do
        start_node "$node"
    done
    await 60 both_idle || fail "the nodes do not come up, see the logs in $dir"
}

stop() {
    await 30 none_left || fail "some processes of $dir do not end: $(mine | tr '\n' ' ')"
    rm -rf "$dir"
}

[ $# -ge 2 ] || fail "usage: cluster.sh start DIR | node DIR NAME | stop DIR"
case $2 in
/*) dir=$2 ;;
*) dir=$PWD/$2 ;;
esac
export SLURM_CONF=$dir/slurm.conf
unset SLURM_JOB_ID
case $1 in
start) start ;;
stop) stop ;;
node) start_node "$3" ;;
*) fail "no command '$1'" ;;
esac
