#!/bin/sh
# Makes .venv in this tree and installs the package into it, editable, with the extras named: what every
# target of the Makefile does first. It names what is missing before it creates anything; run again, it has
# nothing to do.
#
#   PYTHON=python3.12 sh tools/setup_environment.sh examples,test
set -eu
cd "$(dirname "$0")/.."
extras=$1
PYTHON=${PYTHON:-python3}

refuse() {
    for line in "$@"; do printf 'setup: %s\n' "$line" >&2; done
    exit 1
}

# --- Is what we need here? ----------------------------------------------------------------------------------

if ! "$PYTHON" -c '' >/dev/null 2>&1; then
    refuse "there is no working '$PYTHON' on this machine; tinygrad_lite needs Python 3.10 or newer" \
        "install it:     apt-get install python3 python3-venv" \
        "or name yours:  make <target> PYTHON=/path/to/python3"
fi
version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    for newer in python3.14 python3.13 python3.12 python3.11 python3.10; do
        if "$newer" -c '' >/dev/null 2>&1; then
            refuse "'$PYTHON' is Python $version; tinygrad_lite needs 3.10 or newer" \
                "this machine has one:  make <target> PYTHON=$newer"
        fi
    done
    refuse "'$PYTHON' is Python $version; tinygrad_lite needs 3.10 or newer" \
        "install a newer one:  apt-get install python3 python3-venv  (Debian 12 or Ubuntu 22.04, or later)" \
        "or name yours:        make <target> PYTHON=/path/to/python3"
fi
venv_package=python3-venv
[ "$(basename "$PYTHON")" = python3 ] || venv_package=python$version-venv
if ! "$PYTHON" -c 'import venv, ensurepip; ensurepip.version()' >/dev/null 2>&1; then
    refuse "'$PYTHON' (Python $version) cannot make virtual environments" \
        "install what is missing:  apt-get install $venv_package"
fi
# Inside an activated .venv, python3 is a link into the folder that may have to be made anew.
PYTHON=$("$PYTHON" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)')

# --- The environment: made when there is none, made anew when it is broken or of another Python -------------

identity='import sys; print(sys.base_prefix, sys.version_info)'
environment_works() {
    [ "$(.venv/bin/python -c "$identity" 2>/dev/null)" = "$("$PYTHON" -c "$identity")" ] &&
        .venv/bin/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null
}

if ! environment_works; then
    if [ -e .venv ]; then
        echo "setup: .venv is incomplete or belongs to another Python; making it anew"
        rm -rf .venv
    fi
    echo "setup: making .venv with Python $version"
    if ! "$PYTHON" -m venv .venv; then
        rm -rf .venv
        refuse "the virtual environment could not be made; the lines above say why" \
            "if a system package is missing:  apt-get install $venv_package"
    fi
fi

# --- The package: installed when it is not yet, or when the tree was moved or its metadata changed ----------

stamp=.venv/installed-$extras
fingerprint="$(pwd -P) $(cat setup.cfg pyproject.toml | cksum)"
[ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] && exit 0
echo "setup: installing tinygrad_lite[$extras] into .venv"
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"; then
    refuse "pip could not install the packages; its lines above say why" \
        "the first set-up needs a network; the same command goes on where this one stopped"
fi
echo "$fingerprint" >"$stamp"
