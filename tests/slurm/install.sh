#!/usr/bin/env bash
# Install Debian's SLURM for the tests here, where that is possible: root or passwordless sudo, and apt.
set -euo pipefail
packages=(slurmctld slurmd slurm-client munge slurmdbd mariadb-server)
missing=()
for name in slurmctld slurmd slurmdbd mariadbd sbatch munged; do
  command -v "$name" >/dev/null || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo -n)
if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
  echo "SLURM is not here and cannot be installed (root and apt-get are needed): its tests will be skipped"
  exit 0
fi
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
