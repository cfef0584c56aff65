#!/bin/sh
# Resolves the dependencies in pyproject.toml anew and writes the hash-locked
# sets that `make setup` installs. Needs uv. No address is written: the sets
# install from whichever registry or mirror the machine is set up with.
set -eu
CDPATH="" cd -- "$(dirname -- "$0")/.."
uv lock --quiet "$@"
export_set() { # export_set FILE EXPORT-FLAGS…
    file=$1
    shift
    uv export --quiet --frozen --no-emit-project --no-emit-index-url --no-emit-find-links \
        --no-annotate --no-header --format requirements.txt "$@" >"requirements/$file"
}
export_set runtime.lock --no-default-groups
export_set build.lock --only-group build
export_set dev.lock --only-group dev
export_set peers.lock --only-group peers
export_set oscal.lock --no-default-groups --extra oscal
export_set spark.lock --no-default-groups --extra spark
export_set fuzz.lock --no-default-groups --extra fuzz
rm -f uv.lock
