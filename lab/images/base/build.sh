#!/bin/sh
# build.sh SUITE MIRROR: a small Debian as a tar archive on standard output. It keeps MIRROR in its apt sources, so
# that the images built on it install from the same place.
set -eu
exec mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates,netcat-openbsd,tzdata \
    --aptopt='APT::Install-Recommends "false"' \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$1" - "$2"
