#include "reshard/run_command.hpp"

#include <chrono>
#include <csignal>
#include <system_error>

#include <doctest/doctest.h>

using namespace std::chrono_literals;

namespace {

int run_command(const std::string& command, std::string_view input) {
  return reshard::run_command(command, input, {60s, [] { return false; }});
}

}  // namespace

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

TEST_CASE("reshard: a hook gets the variables that are named, over the process's own") {
  CHECK(reshard::run_command("test \"$HOME-$MORAY_X\" = here-1", "",
                             {60s, [] { return false; }, {"HOME=here", "MORAY_X=1"}}) == 0);
}

TEST_CASE("reshard: a hook that takes too long, or is interrupted, ends with its group") {
  const std::string unread(1'000'000, 'x');
  CHECK_THROWS_WITH_AS(
      reshard::run_command("sleep 1000 & sleep 1000", unread, {100ms, [] { return false; }}),
      doctest::Contains("took more than"), reshard::CommandEnded);
  CHECK_THROWS_WITH_AS(reshard::run_command("trap '' TERM; while :; do sleep 1000; done", "",
                                            {60s, [] { return true; }}),
                       doctest::Contains("interrupted"), reshard::CommandEnded);
}
