#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test, each in the builds where it finds most:
# release for what depends on time, kills and volume, asan (ASan and UBSan) for parsers, the object
# model and the backends, tsan for where threads meet. tests/builds.cmake is the table. Prints at the
# end how long each part took.
#   --quick  every test, in the release build only
#   --all    every test in every build and in its longest form, every source compiled alone, and each fuzz target for a minute
set -euo pipefail
cd "$(dirname "$0")"
. scripts/packages.sh
. scripts/compiler_cache.sh
scripts/install_packages.sh "${build_packages[@]}" "${test_packages[@]}"
if ! command -v node >/dev/null; then scripts/install_packages.sh nodejs npm; fi
(cd tests/node && npm ci --silent)

mode=${1:-}
if [ "$mode" = --all ]; then export MORAY_ROUTER_LONG=1; fi

parts=()
part() { # a part's name, then its command
  local name=$1 began=$SECONDS status=0
  shift
  echo "== $name"
  "$@" || status=$?
  parts+=("$(printf '%5d s  %s' $((SECONDS - began)) "$name")")
  return $status
}
tell_parts() { [ ${#parts[@]} -eq 0 ] || printf '%s\n' "== seconds by part" "${parts[@]}" "$(printf '%5d s  in all' $SECONDS)"; }
trap tell_parts EXIT

build() { # preset, then arguments of cmake --build
  local preset=$1
  shift
  cmake --preset "$preset" "${launcher[@]}" >/dev/null && cmake --build --preset "$preset" -j2 "$@"
}
build_and_test() { # preset
  if [ -n "$mode" ]; then
    part "$1: build" build "$1"
    part "$1: tests" ctest --preset "$1" -j2
  else
    part "$1: build" build "$1" --target tested
    part "$1: tests" ctest --preset "$1" -j2 -L "^in_$1\$"
  fi
}

build_and_test release
if [ "$mode" != --quick ]; then
  build_and_test asan
  build_and_test tsan
fi
if [ "$mode" = --all ]; then
  # The other builds compile many sources as one, which hides an include that one of them lacks.
  part "debug: build" build debug
  scripts/install_packages.sh "${fuzz_packages[@]}"
  part "fuzz: build" build fuzz --target fuzz_targets
  for target in build/fuzz/tests/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    found=$(mktemp -d)
    part "fuzz: $name" "$target" -max_total_time=60 -print_final_stats=1 "$found" "tests/fuzz/corpus/$name"
    rm -r "$found"
  done
fi
echo "all tests passed"
