#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace reshard {

/// A command that was ended before its own end.
struct CommandEnded : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How a command is run.
struct CommandLimits {
  std::chrono::milliseconds time{};           ///< that it may take
  std::function<bool()> interrupted;          ///< asked many times a second; true: it is ended
  std::vector<std::string> environment = {};  ///< more variables: `NAME=value`
};

/// Runs `/bin/sh -c command` in a process group of its own, with `input` on its standard input, of
/// which it need not read anything, and waits for its end. Returns its exit code; 128 and the
/// signal's number where a signal ended it, as a shell has it. When its time is over, or it is
/// interrupted, its group gets SIGTERM, and SIGKILL two seconds later, and CommandEnded is thrown.
/// What a command leaves running in the background when it ends by itself goes on. Throws
/// std::system_error where it can't be started. SIGPIPE must be ignored by the process, as
/// program/main.cpp has it; the command has it as usual.
int run_command(const std::string& command, std::string_view input, const CommandLimits& limits);

}  // namespace reshard
