#!/bin/sh
# scripts/setup.sh runtime|dev|peers: installs one hash-locked set and writes a stamp for make.
# scripts/setup.sh stands: succeeds where .venv need not be made anew.
#
#   runtime  what the product runs with, the build backend, and the product itself, into .venv
#   dev      what tests and checks need on top, into .venv
#   peers    other tools that benchmarks stand beside, into .venv-peers; may be missing
#
# PYTHON names the interpreter; without it the system's python3 where it will do, else the one on the PATH:
# distributions build theirs with profile-guided optimisation, version managers mostly without, a third slower.
# With uv where it is on the PATH, else with pip. Only wheels, each with a known hash; where they come
# from is the machine's own setting of pip or uv.
set -eu
CDPATH="" cd -- "$(dirname -- "$0")/.."
PYTHON=${PYTHON:-}
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV CDPATH PIP_USER PIP_TARGET PIP_PREFIX 2>/dev/null || :

say() { printf '%s\n' "$*" >&2; }
die() {
    say "setup: $*"
    exit 3
}

seconds() { date +%s; }

will_do() { # will_do INTERPRETER: whether it is a Python that is new enough and can make environments
    [ "$("$1" -c 'import sys, venv, ensurepip; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]
}

chosen() { # the interpreter to use; says what lacks where none will do
    for one in ${PYTHON:+"$PYTHON"} $([ -n "$PYTHON" ] || echo /usr/bin/python3 python3); do
        will_do "$one" && printf '%s\n' "$one" && return
    done
    command -v "$one" >/dev/null || die "$one is not installed (apt-get install python3 python3-venv)"
    found=$("$one" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null) || found=
    [ -n "$found" ] || die "$one is not a Python"
    "$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "Python $found is too old: 3.11 or newer is needed; name one with make PYTHON=…"
    die "Python's venv is not installed (apt-get install python3-venv)"
}

whose() { # whose INTERPRETER: what tells an interpreter, and every environment of it, from others
    "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null
}

stands() { # stands FOLDER: whether the environment there is this checkout's, works, and is of PYTHON where that is named
    [ "$(cat "$1/.made-in" 2>/dev/null)" = "$(pwd -P)" ] && its=$(whose "$1/bin/python") &&
        { [ -z "$PYTHON" ] || [ "$its" = "$(whose "$PYTHON")" ]; }
}

make_venv() { # make_venv FOLDER: a fresh, working environment in FOLDER, made only where there is none
    ! stands "$1" || return 0
    one=$(chosen)
    rm -rf "$1" || die "can't remove the old $1; it belongs to $(stat -c %U "$1")"
    "$one" -m venv "$1" || die "can't make the environment $(pwd -P)/$1"
    pwd -P >"$1/.made-in"
}

install() { # install FOLDER ARGUMENT…: with uv, or with pip where uv is missing or has no registry
    venv=$1
    shift
    if command -v uv >/dev/null && uv pip install --quiet --compile-bytecode --python "$venv/bin/python" "$@"; then
        return
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

locked() { # locked FOLDER SET…: the sets of requirements/, hashes checked, no source builds
    venv=$1
    shift
    for set in "$@"; do
        shift
        set -- "$@" -r "requirements/$set.lock"
    done
    install "$venv" --require-hashes --only-binary :all: "$@"
}

began=$(seconds)
case ${1:-} in
stands)
    stands .venv
    exit
    ;;
runtime)
    say "setup: installing into .venv (once; about half a minute with pip)"
    make_venv .venv
    rm -f .venv/.dev
    locked .venv runtime build || die "the locked packages could not be installed; see above, and the settings of pip"
    # Nothing is fetched here: the backend is installed, and so is everything the project needs.
    install .venv --no-deps --no-build-isolation -e . || die "the project itself could not be installed"
    # pip compiles what it installs unless it is told not to; uv only when it is told to.
    .venv/bin/python -m compileall -q .venv/lib >/dev/null || :
    touch .venv/.runtime
    ;;
dev)
    say "setup: installing the development tools into .venv"
    make_venv .venv
    locked .venv dev || die "the development tools could not be installed; see above, and the settings of pip"
    touch .venv/.dev
    ;;
peers)
    say "setup: installing the tools to compare with into .venv-peers"
    if (make_venv .venv-peers) && locked .venv-peers peers; then
        touch .venv-peers/.done
    else
        mkdir -p .venv-peers
        rm -f .venv-peers/.done
        say "setup: SKIPPED: the tools to compare with can't be installed here; the benchmarks run without them"
    fi
    ;;
*)
    die "say which set: runtime, dev or peers (or stands)"
    ;;
esac
say "setup: $1 done in $(($(seconds) - began)) s"
