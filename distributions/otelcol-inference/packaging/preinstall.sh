#!/bin/sh
# The service has a user of its own, without a home and without a shell.
set -eu
getent group otelcol-inference >/dev/null || groupadd --system otelcol-inference
getent passwd otelcol-inference >/dev/null ||
  useradd --system --gid otelcol-inference --home-dir /var/lib/otelcol-inference --no-create-home --shell /usr/sbin/nologin otelcol-inference
