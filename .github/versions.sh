#!/usr/bin/env bash
# Fast tests on one Python, with the newest or the lowest versions of all direct dependencies:
#
#   .github/versions.sh 3.13            # newest
#   .github/versions.sh 3.11 lowest     # of what pyproject.toml allows
#
# It needs uv, which finds or fetches the Python (or give the path of one). The environment is made
# in a temporary folder, some 5 GB where torch brings CUDA; UV_TORCH_BACKEND=cpu takes a CPU build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${1:?a Python, such as 3.11}
versions=${2:-newest}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --python "$python" "$folder/env"
options=()
tests=()
if [[ $versions == lowest ]]; then
    # scikit-activeml, an adapter's, needs newer versions than we do; tests without it skip.
    echo "scikit-activeml; python_version < '3'" >"$folder/overrides.txt"
    # Old libraries call what others have deprecated since.
    tests=(-W ignore::DeprecationWarning --ignore noisyactive/compat/_skactiveml.py)
    options=(--resolution lowest-direct --overrides "$folder/overrides.txt")
fi
if [[ $versions == lowest || $python == 3.10* ]]; then  # whose NumPy has fewer type hints
    tests+=(--deselect "tests/test_code_quality.py::test_code_quality[mypy noisyactive]")
fi
uv pip install --python "$folder/env" "${options[@]}" -e ".[tests]"
uv pip list --python "$folder/env"
"$folder/env/bin/python" -m pytest -n 2 --dist worksteal -m "not slow and not statistical" \
    --doctest-ignore-import-errors "${tests[@]}"
