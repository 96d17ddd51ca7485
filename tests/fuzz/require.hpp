#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

/// Ends the process, as a finding, where something does not hold.
inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what.c_str());
  std::abort();
}
