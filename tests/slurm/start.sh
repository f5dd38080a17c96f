#!/usr/bin/env bash
# Start a private SLURM of two nodes on this machine, as root: start.sh FOLDER
# Needs slurmctld, slurmd, the SLURM clients and munge. ACCOUNTING=1 adds slurmdbd on a MariaDB of its own.
# The nodes claim more than the machine has, and one pretended GPU each (a device file that is /dev/null).
set -euo pipefail
mkdir -p "$1"/{state,spool,log,run,munge,db}
BASE=$(readlink -f "$1")
PORT=${PORT:-26700}
chmod 0755 "$BASE"
chmod 0711 "$BASE/munge"
SOCKET="$BASE/munge/socket"
export SLURM_CONF="$BASE/slurm.conf"

wait_for() { # wait_for SECONDS COMMAND...: until the command succeeds
  local tries=$(($1 * 5))
  shift
  for _ in $(seq "$tries"); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.2
  done
  echo "timed out waiting for: $*" >&2
  tail -n 20 "$BASE"/log/*.log >&2
  return 1
}

start_munge() {
  (umask 077 && head -c 1024 /dev/urandom >"$BASE/munge/key")
  munged --force --key-file="$BASE/munge/key" --socket="$SOCKET" --num-threads=2 \
    --pid-file="$BASE/run/munged.pid" --log-file="$BASE/log/munged.log" --seed-file="$BASE/munge/seed"
}

start_accounting() {
  mariadb-install-db --no-defaults --user=root --datadir="$BASE/db" \
    --auth-root-authentication-method=normal >"$BASE/log/install.log" 2>&1
  mariadbd --no-defaults --user=root --datadir="$BASE/db" --socket="$BASE/db/socket" --port=$((PORT + 8)) \
    --bind-address=127.0.0.1 --pid-file="$BASE/run/mariadb.pid" >"$BASE/log/mariadb.log" 2>&1 &
  wait_for 30 mariadb-admin --no-defaults -S "$BASE/db/socket" ping
  mariadb --no-defaults -S "$BASE/db/socket" -e \
    "CREATE DATABASE jobs; CREATE USER slurm@127.0.0.1 IDENTIFIED BY 'slurm'; GRANT ALL ON jobs.* TO slurm@127.0.0.1"
  (umask 077 && cat >"$BASE/slurmdbd.conf") <<CONF
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT + 9))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCKET
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 8))
StorageUser=slurm
StoragePass=slurm
StorageLoc=jobs
LogFile=$BASE/log/slurmdbd.log
PidFile=$BASE/run/slurmdbd.pid
CONF
}

accounting_lines() {
  [ "${ACCOUNTING:-0}" = 1 ] || return 0
  cat <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 9))
AccountingStoragePass=$SOCKET
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
CONF
}

write_conf() {
  cat >"$BASE/slurm.conf" <<CONF
ClusterName=afpbench
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCKET
CredType=cred/munge
StateSaveLocation=$BASE/state
SlurmdSpoolDir=$BASE/spool/%n
SlurmctldPidFile=$BASE/run/slurmctld.pid
SlurmdPidFile=$BASE/run/slurmd-%n.pid
SlurmctldLogFile=$BASE/log/slurmctld.log
SlurmdLogFile=$BASE/log/slurmd-%n.log
JobCompType=jobcomp/filetxt
JobCompLoc=$BASE/log/jobs.txt
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=1
MinJobAge=3600
KillWait=5
GresTypes=gpu
$(accounting_lines)
NodeName=n1 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$((PORT + 1)) CPUs=4 RealMemory=120000 Gres=gpu:2
NodeName=n2 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$((PORT + 2)) CPUs=4 RealMemory=120000 Gres=gpu:2
PartitionName=cpu Nodes=n[1-2] Default=YES MaxTime=7-0 State=UP
PartitionName=gpu Nodes=n[1-2] MaxTime=7-0 State=UP
CONF
  printf 'NodeName=%s Name=gpu File=%s\n' n1 /dev/null n1 /dev/zero n2 /dev/null n2 /dev/zero >"$BASE/gres.conf"
}

both_idle() { [ "$(timeout 5 sinfo -h -p cpu -t idle -o %D)" = 2 ]; }

start_munge
write_conf
# Snakemake's job steps drop every SLURM_* variable, SLURM_CONF too: the system's own place has to name this cluster.
for name in slurm.conf gres.conf; do
  if [ -e "/etc/slurm/$name" ] && [ ! -L "/etc/slurm/$name" ]; then
    echo "/etc/slurm/$name is there: this machine belongs to a real cluster" >&2
    exit 1
  fi
done
mkdir -p /etc/slurm
ln -sfn "$BASE/slurm.conf" "$BASE/gres.conf" /etc/slurm/
if [ "${ACCOUNTING:-0}" = 1 ]; then
  start_accounting
  slurmdbd
  wait_for 30 timeout 5 sacctmgr -n show cluster
  sacctmgr -i add cluster afpbench >/dev/null
  sacctmgr -i add account group1 Description=test Organization=test >/dev/null
  sacctmgr -i add user root Account=group1 >/dev/null
fi
slurmctld -c
slurmd -c -N n1
slurmd -c -N n2
wait_for 30 both_idle
sinfo
