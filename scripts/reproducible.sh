#!/usr/bin/env bash
# Builds the committed sources in two directories and compares the binaries.
#
#   COLD=1   with an empty build cache for each, which takes as long as two first builds
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
for copy in one another/below; do
  mkdir -p "$work/$copy/bin"
  git archive HEAD | tar -x -C "$work/$copy"
  cp -r exporter/inferencedashboardexporter/assets/vendor "$work/$copy/exporter/inferencedashboardexporter/assets/"
  ln -s "$here/bin/tools" "$work/$copy/bin/tools"
  (
    cd "$work/$copy"
    [ -z "${COLD:-}" ] || export GOCACHE=$work/cache-$RANDOM
    touch -r "$here/bin/tools/builder" internal/tools/go.mod # the tools are there
    make --no-print-directory bin/otelcol-inference >&2
  )
done
cd "$work"
sha256sum one/bin/otelcol-inference another/below/bin/otelcol-inference
cmp one/bin/otelcol-inference another/below/bin/otelcol-inference
echo "the same binary"
