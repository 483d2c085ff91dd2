#!/usr/bin/env bash
# Every query of the dashboards and alert rules against a real Prometheus, filled by the real collector and simulated fleets.
# PROMETHEUS=dir names another than prometheus.sh finds.
set -euo pipefail
cd "$(dirname "$0")/../.."

PROMETHEUS=${PROMETHEUS:-$(tests/grafana/prometheus.sh)}
export PROMETHEUS
exec "${GO:-go}" -C tests test -count=1 -timeout 6m -v ./grafana
