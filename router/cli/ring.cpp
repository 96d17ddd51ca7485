#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "ring_tool/run.hpp"
#include "router/cli/commands.hpp"
#include "router/control/directory_edits.hpp"

namespace router::cli {
namespace {

constexpr const char* kRingImage = "ring-image";

}  // namespace

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

void add_ring_image(CLI::App& program, int& exit_code) {
  auto directory = std::make_shared<std::string>();
  CLI::App* command = program.add_subcommand(kRingImage, "Reads a ring for the router that asks");
  command->group("");  // nobody else needs it
  auto edits = std::make_shared<bool>(false);
  command->add_option("directory", *directory)->required();
  command->add_flag("--edit", *edits, "Does the edit on standard input first");
  command->callback([directory, edits, &exit_code] {
    const auto edit = [](const std::filesystem::path& ring) {
      const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
      edit_directory(ring.string(), text);
    };
    exit_code = *edits ? ring::write_image(*directory, STDOUT_FILENO, edit)
                       : ring::write_image(*directory, STDOUT_FILENO);
  });
}

ring::Loader load_in_child() {
#ifdef __linux__
  const std::string program = "/proc/self/exe";  // this one, even where its file was replaced
#else
  const std::string program = std::filesystem::absolute(getexecname()).string();
#endif
  return ring::load_in_child({program, kRingImage});
}

}  // namespace router::cli
