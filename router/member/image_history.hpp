#pragma once

#include <cstdint>
#include <string>

namespace router {

/// Where this process has had images of its fleet's rings from.
struct ImageHistory {
  std::string digest, from;  ///< the last one; empty: there was none
  std::uint64_t chunks = 0, edits = 0, members = 0, url = 0;
  std::uint64_t refused = 0;  ///< bytes that were not the ring's, by its digest
};

}  // namespace router
