#pragma once

#include <string>
#include <string_view>

namespace reshard {

/// Runs `/bin/sh -c command` with `input` on its standard input, of which it need not read
/// anything, and waits for its end, however long that takes. Returns its exit code; 128 and the
/// signal's number where a signal ended it, as a shell has it. Throws std::system_error where it
/// can't be started. SIGPIPE must be ignored by the process, as program/main.cpp has it; the
/// command has it as usual.
int run_command(const std::string& command, std::string_view input);

}  // namespace reshard
