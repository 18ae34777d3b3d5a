#!/usr/bin/env bash
# One shard of `reexec verify` a task of a Slurm array, and a job behind them that puts the shards together.
#
#   sbatch --array=0-31 examples/slurm/verify-array.sh responses.jsonl functions.jsonl verified.jsonl
#
# A task that is killed, preempted or submitted again goes on where it stopped; one that is done does nothing. Outside of Slurm:
#
#   SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=2 examples/slurm/verify-array.sh responses.jsonl functions.jsonl verified.jsonl
#
#SBATCH --job-name=reexec-verify
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=INT@60
set -euo pipefail

responses=$1 functions=$2 output=$3
index=${SLURM_ARRAY_TASK_ID:?one task of an array} count=${SLURM_ARRAY_TASK_COUNT:?how many tasks}
shards=$output.shards
mkdir -p "$shards"

# 1: some rows were left out, each with its reason. 2 with a finished manifest: none of this shard's rows could be used.
status=0
reexec verify "$responses" --functions "$functions" -o "$shards/$index.jsonl" --usage "$shards/$index.usage.jsonl" \
  --shard "$index/$count" ${SLURM_CPUS_PER_TASK:+--workers "$SLURM_CPUS_PER_TASK"} || status=$?
if [ "$status" -gt 1 ] && ! grep -q '"state": "done"' "$shards/$index.manifest.json"; then
  exit "$status"
fi

# Whoever finishes last merges; a merge that another task has done already does nothing.
done_shards=$({ grep -l '"state": "done"' "$shards"/*.manifest.json || true; } | wc -l)
if [ "$done_shards" -eq "$count" ]; then
  outputs=()
  for ((each = 0; each < count; each++)); do outputs+=("$shards/$each.jsonl"); done
  reexec merge "${outputs[@]}" -o "$output"
fi
