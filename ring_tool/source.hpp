#pragma once

#include <iosfwd>
#include <memory>
#include <string>

#include "ring/ring.hpp"
#include "ring_tool/memory_ring.hpp"
#include "ring_tool/options.hpp"
#include "ring_tool/run.hpp"

namespace ring_tool {

enum class Backend : unsigned char { leveldb, memory };

/// Which ring a command is for: its -b and -l.
struct Source {
  Backend backend = Backend::memory;
  std::string location;  ///< a directory; a topology's file, or empty: stdin
};

/// Throws WrongUse without -b, and Failure for a backend that is none or needs a location.
Source source_of(const Options& options);
/// Reads a topology from its file, or from stdin.
MemoryRing read_memory(const Source& source, const Streams& streams);
/// The whole ring, every check made. Throws Failure.
std::shared_ptr<const ring::Ring> load_ring(const Source& source, const Streams& streams);
/// The whole of a file. Throws Failure in Node's words.
std::string read_file(const std::string& path);

}  // namespace ring_tool
