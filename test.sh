#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: the release build and the ASan+UBSan
# build run all of them, the TSan build those where threads meet.
#   --quick  the release build only
#   --all    all of everything, TSan too, and each fuzz target for a minute
set -euo pipefail
cd "$(dirname "$0")"
. scripts/packages.sh
. scripts/compiler_cache.sh
scripts/install_packages.sh "${build_packages[@]}" "${test_packages[@]}"
if ! command -v node >/dev/null; then scripts/install_packages.sh nodejs npm; fi
(cd tests/node && npm ci --silent)

mode=${1:-}

build_and_test() { # preset, then ctest arguments
  local preset=$1
  shift
  echo "== $preset"
  cmake --preset "$preset" "${launcher[@]}" >/dev/null
  cmake --build --preset "$preset" -j2
  ctest --preset "$preset" -j2 "$@"
}

build_and_test release
if [ "$mode" != --quick ]; then
  build_and_test asan
  if [ "$mode" = --all ]; then build_and_test tsan; else build_and_test tsan -L threads; fi
fi
if [ "$mode" = --all ]; then
  scripts/install_packages.sh "${fuzz_packages[@]}"
  cmake --preset fuzz "${launcher[@]}" >/dev/null
  cmake --build --preset fuzz -j2 --target fuzz_targets
  for target in build/fuzz/tests/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    found=$(mktemp -d)
    echo "== fuzz $name"
    "$target" -max_total_time=60 -print_final_stats=1 "$found" "tests/fuzz/corpus/$name"
    rm -r "$found"
  done
fi
echo "all tests passed"
