#!/usr/bin/env bash
# Every query of the dashboards and alert rules against a real Prometheus, filled by the real collector and simulated fleets.
#
# Prometheus is what is installed, else Debian's package, unpacked into .cache without installing it. PROMETHEUS=dir names another.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${PROMETHEUS:-}" ]; then
  if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    PROMETHEUS=$(dirname "$(command -v prometheus)")
  else
    PROMETHEUS=$PWD/.cache/prometheus/usr/bin
    if [ ! -x "$PROMETHEUS/promtool" ]; then
      command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
        echo "error: prometheus and promtool are needed, and this is no Debian; PROMETHEUS=dir says where they are" >&2
        exit 1
      }
      mkdir -p .cache/prometheus
      (cd .cache/prometheus && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } && dpkg -x prometheus_*.deb . && rm prometheus_*.deb)
    fi
  fi
fi
export PROMETHEUS
exec "${GO:-go}" -C tests test -count=1 -timeout 6m -v ./grafana
