#!/bin/bash
# Pantile in nodes of your own for an hour, with its progress on this terminal: to try a job before it is queued.
#
#     ./interactive.sh job.yaml                # what stands behind the job goes to `pantile run`: --set devices.memory.cap=60%
#
# Run it on a login node, in tmux or screen where the line may break: the nodes are given back when this ends. Ctrl-C once
# stops in order; the same line, or a batch job on the same run folder, goes on from there. Edit the values; docs/slurm.md.

options=(
  --job-name=pantile
  --nodes=1
  --ntasks-per-node=3   # one coordinates, the others compute
  --cpus-per-task=4
  --mem=8G              # of each node
  --time=01:00:00       # Pantile stops in order before
  # --gres=gpu:1
)

job=${1:-job.yaml}
pantile=${PANTILE:-pantile}

# ---- nothing below depends on the job ---------------------------------------------------------------------------------------
set -u

unset SRUN_CPUS_PER_TASK  # mpirun's daemons would take so few cores for all ranks of their node
# Not `srun --pty bash` and then `pantile run`: a shell that srun has started looks like one rank of an MPI world.
# shellcheck disable=SC2016  # salloc's shell is to expand them
exec salloc "${options[@]}" \
  bash -c 'exec "$0" run "$1" --ranks "$((SLURM_JOB_NUM_NODES * SLURM_NTASKS_PER_NODE))" "${@:2}"' \
  "$pantile" "$job" "${@:2}"
