#!/bin/bash
# Clones a halted VM some times with xe, starts the clones, and prints the uuid of each.
#
#     clone.sh VM NUMBER [OPTION ...]
#
# VM is a name or a uuid. OPTIONs go to xe: -s HOST -u USER -pw PASSWORD. On a host of the pool none are needed.

set -euo pipefail
if (($# < 2)); then
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
vm=$1 number=$2
shift 2

for ((i = 1; i <= number; i++)); do
    uuid=$(xe vm-clone vm="$vm" new-name-label="$vm, clone $i" "$@")
    xe vm-start uuid="$uuid" "$@"
    state=$(xe vm-param-get uuid="$uuid" param-name=power-state "$@")
    echo "$uuid $state"
done
