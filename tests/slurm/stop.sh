#!/usr/bin/env bash
# Stop what start.sh started, by the process ids that it left: stop.sh FOLDER
set -u
BASE=$(readlink -f "$1")
export SLURM_CONF="$BASE/slurm.conf"
timeout 20 scancel --user=root --quiet 2>/dev/null
for name in slurmd-n1 slurmd-n2 slurmctld slurmdbd mariadb munged; do
  [ -f "$BASE/run/$name.pid" ] && kill "$(cat "$BASE/run/$name.pid")" 2>/dev/null
done
for name in slurm.conf gres.conf; do
  [ "$(readlink "/etc/slurm/$name")" = "$BASE/$name" ] && rm -f "/etc/slurm/$name"
done
true
