#include "ring_tool/run.hpp"

#include <algorithm>
#include <ostream>

#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"

namespace ring_tool {
namespace {

const Command* find(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

std::string general_help() {
  std::string text =
      "moray-router ring: makes, shows and edits rings, as node-fash's `fash` does\n\n";
  for (const Command& command : commands())
    text +=
        "  " + command.name + std::string(26 - command.name.size(), ' ') + command.summary + "\n";
  text +=
      "  backfill-vnodes           gives rows in PostgreSQL shards their vnodes; its --help tells "
      "more\n";
  return text + "\nmoray-router ring help COMMAND tells more.\n";
}

int help(const std::vector<std::string>& words, const Streams& streams) {
  if (words.size() < 2) {
    streams.out << general_help();
    return 0;
  }
  const Command* command = find(words[1]);
  if (command == nullptr) throw Failure("unknown command: \"" + words[1] + "\"");
  streams.out << help_of(*command);
  return 0;
}

bool asks_for_help(const std::string& word) {
  return word == "help" || word == "?" || word == "-h" || word == "--help";
}

int perform(const Command& command, const std::vector<std::string>& words, const Streams& streams) {
  try {
    const Options options(command.options, {words.begin() + 1, words.end()});
    if (command.arguments >= 0 &&
        options.arguments().size() != static_cast<std::size_t>(command.arguments))
      throw WrongUse("it takes " + std::to_string(command.arguments) + " arguments");
    command.perform(options, streams);
    return 0;
  } catch (const WrongUse& wrong) {
    streams.out << help_of(command);
    throw Failure(command.name + ": " + wrong.what());
  }
}

}  // namespace

int run(const std::vector<std::string>& words, const Streams& streams) {
  try {
    if (words.empty()) {
      streams.out << general_help();
      throw Failure("no command given");
    }
    if (asks_for_help(words[0])) return help(words, streams);
    const Command* command = find(words[0]);
    if (command == nullptr) throw Failure("unknown command: \"" + words[0] + "\"");
    return perform(*command, words, streams);
  } catch (const Failure& failure) {
    streams.out.flush();
    streams.err << "fash: " << failure.what() << '\n';
    return 1;
  }
}

}  // namespace ring_tool
