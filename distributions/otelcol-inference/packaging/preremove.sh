#!/bin/sh
# Not on an upgrade: deb says "upgrade" then, rpm says 1.
set -eu
case $1 in remove | 0) ;; *) exit 0 ;; esac
[ ! -d /run/systemd/system ] || systemctl disable --now otelcol-inference
