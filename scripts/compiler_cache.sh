# Sets `launcher`, cmake's arguments for ccache where it is there; nothing needs it. What one checkout
# has compiled serves others: paths are kept relative. Sourced by run.sh and test.sh, at the project's root.
launcher=()
if command -v ccache >/dev/null; then
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
