#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace ring_tool {

/// Where a command reads and writes.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

/// `moray-router ring …`: node-fash's sub-commands on LevelDB rings and JSON topologies, with its
/// options, output and exit codes (0 or 1); errors are one line `fash: <message>` on `err`.
/// `words`: sub-command and arguments.
int run(const std::vector<std::string>& words, const Streams& streams);

}  // namespace ring_tool
