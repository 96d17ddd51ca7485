#include <iostream>

#include <CLI/CLI.hpp>

#include "ring_tool/run.hpp"
#include "router/cli/commands.hpp"

namespace router::cli {

CLI::App& add_ring(CLI::App& program, int& exit_code) {
  CLI::App* command =
      program.add_subcommand("ring", "Makes, shows and edits rings, as node-fash's `fash` does");
  command->prefix_command();  // what follows is node-fash's to understand
  command->set_help_flag();
  command->callback([command, &exit_code] {
    if (!command->get_subcommands().empty()) return;  // one that is not node-fash's
    std::ios::sync_with_stdio(
        false);  // nobody mixes stdio in; a million keys a second come by here
    exit_code = ring_tool::run(command->remaining(), {std::cin, std::cout, std::cerr});
  });
  return *command;
}

}  // namespace router::cli
