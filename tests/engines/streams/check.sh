#!/bin/sh
# Receives the simulated streams with pyzmq and msgspec, the libraries engines publish with.
# Usage: check.sh [messages a case, 500]. VENV is where the Python environment goes (default: below the user's cache).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/otelcol-inference/streams-venv}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
(cd "$here/../../.." && go build -o "$bin/streampub" ./internal/fleetsim/stream/streampub)
PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$here/check.py" "$bin/streampub" "$@"
