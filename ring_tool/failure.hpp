#pragma once

#include <stdexcept>
#include <string>

namespace ring_tool {

/// A command that can't be done: its message goes to stderr after `fash: `, and the exit code is 1.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A command that was called wrongly: its help goes to stdout.
class WrongUse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace ring_tool
