#include "reshard/run_command.hpp"

#include <csignal>
#include <system_error>

#include <doctest/doctest.h>

using reshard::run_command;

TEST_CASE("reshard: a hook's exit code is told, and it need not read the plan") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // as the program has it
  const std::string more_than_a_pipe_holds(1'000'000, 'x');
  CHECK(run_command("true", "{}") == 0);
  CHECK(run_command("exec 0<&-; true", more_than_a_pipe_holds) == 0);
  CHECK(run_command("exec 0<&-; exit 3", more_than_a_pipe_holds) == 3);
  CHECK(run_command("test \"$(wc -c)\" -eq 1000000", more_than_a_pipe_holds) == 0);
  CHECK(run_command("kill -PIPE $$", "") == 128 + SIGPIPE);  // not ignored in the hook
  CHECK(run_command("no-such-command 2>&-", "{}") == 127);
  CHECK_THROWS_AS(run_command(std::string(1'000'000, ' '), "{}"), std::system_error);
  std::signal(SIGPIPE, before);
}
