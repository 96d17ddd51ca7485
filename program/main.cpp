#include <csignal>
#include <string_view>

#include <CLI/CLI.hpp>

#include "reshard/cli/commands.hpp"
#include "router/cli/commands.hpp"

namespace {

/// A service manager may send these as soon as the process is there. A reload that is asked for
/// before the router can hear of it waits; two signals mean nothing to it.
void expect_signals() {
  sigset_t reload;
  sigemptyset(&reload);
  sigaddset(&reload, SIGHUP);
  sigprocmask(SIG_BLOCK, &reload, nullptr);
  std::signal(SIGUSR1, SIG_IGN);
  std::signal(SIGUSR2, SIG_IGN);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "serve") expect_signals();
  std::signal(SIGPIPE, SIG_IGN);  // a client that left is an error code, not a death
  CLI::App program("moray-router: routes key/value requests to the shards of a ring",
                   "moray-router");
  program.require_subcommand(1);
  int exit_code = 0;
  router::cli::add_admin(program, exit_code);
  reshard::cli::add_backfill_vnodes(router::cli::add_ring(program, exit_code), exit_code);
  reshard::cli::add_reshard(program, exit_code);
  router::cli::add_ring_image(program, exit_code);
  router::cli::add_serve(program, exit_code);
  router::cli::add_dev(program, exit_code);
  router::cli::add_fleet(program, exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error);
  }
  return exit_code;
}
