#!/bin/sh
# Build libnvidia-ml.so.1 into a directory: build.sh OUTDIR. Needs a C compiler (CC, default gcc) and go, which knows where the
# nvml.h of the pinned go-nvml lies.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
out=$1
here=$(cd "$(dirname "$0")" && pwd)
header=$(cd "$here/../.." && go list -m -f '{{.Dir}}' github.com/NVIDIA/go-nvml)/pkg/nvml
[ -f "$header/nvml.h" ] || { echo "$header/nvml.h: not found; run 'go mod download github.com/NVIDIA/go-nvml'" >&2; exit 1; }
mkdir -p "$out"
# nodelete: go-nvml closes the library on shutdown, and a call that hangs must not lose its code.
${CC:-gcc} -std=c11 -D_GNU_SOURCE -DNVML_NO_UNVERSIONED_FUNC_DEFS -O2 -fPIC -shared -pthread \
    -Wall -Wextra -Werror -Wno-deprecated-declarations -isystem "$header" \
    -Wl,-soname,libnvidia-ml.so.1 -Wl,-z,nodelete -Wl,-z,defs \
    -o "$out/libnvidia-ml.so.1" "$here"/*.c
