#!/usr/bin/env bash
# This distribution beside its peers, each load with a table of its own, in Markdown on the standard output.
#
#   ROUNDS, WARMUP, WINDOW  of each subject (default: 5, 3s, 5s)
#   LOADS                   which of scrape, latency, nixl, nvml and otlp (default: scrape latency otlp, and those below that are there)
#   PROMETHEUS              folder of prometheus and promtool (default: what is installed, else Debian's package in .cache)
#   NIXL_READER             examples/python/telemetry_reader.py of NIXL's repository, for nixl
#   NVML_POLLER=1           nvml: makes a virtual environment with nvidia-ml-py in .cache
set -euo pipefail
cd "$(dirname "$0")/../.."

loads=${LOADS:-scrape latency ${NIXL_READER:+nixl} ${NVML_POLLER:+nvml} otlp}
bench=$(mktemp -d)
trap 'rm -rf "$bench"' EXIT
"${GO:-go}" -C tests build -o "$bench/bench" ./bench
missed=0
for load in $loads; do
  flags=()
  case $load in
    scrape | latency) flags=(-peers -prometheus "${PROMETHEUS:-$(tests/grafana/prometheus.sh)}/prometheus") ;;
    nixl) flags=(-reader "$(realpath "${NIXL_READER:?names telemetry_reader.py of the repository of NIXL}")") ;;
    nvml)
      python=$PWD/.cache/peers/bin/python
      if ! "$python" -c 'import pynvml' 2>/dev/null; then
        python3 -m venv .cache/peers
        "$python" -m pip install -q nvidia-ml-py
      fi
      flags=(-python "$python")
      ;;
  esac
  status=0
  (cd tests && "$bench/bench" -load "$load" -rounds "${ROUNDS:-5}" -warmup "${WARMUP:-3s}" -window "${WINDOW:-5s}" "${flags[@]}") || status=$?
  echo
  case $status in
    0) ;;
    1) missed=1 ;; # a bar; the other loads are still worth their tables
    *) exit "$status" ;;
  esac
done
exit "$missed"
