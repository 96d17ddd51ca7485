// A line in, a line out; arguments.
#include "router/admin/commands.hpp"

#include "json/nesting.hpp"
#include "router/admin/command.hpp"

namespace router {
namespace admin {
namespace {

constexpr int kVersion = 1;

const Commands& commands() {
  static const Commands all = [] {
    Commands made;
    add_shown(made);
    add_rings(made);
    add_blocks(made);
    add_ownership(made);
    return made;
  }();
  return all;
}

void perform(const AdminActions& actions, std::string_view line, const Answer& answer) {
  if (json::nested_too_deep(line)) throw Refusal("bad_request", "the request is nested too deep");
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object()) throw Refusal("bad_request", "a request is one JSON object a line");
  const auto version = request.find("v");
  if (version == request.end() || *version != kVersion)
    throw Refusal("bad_version", "\"v\" must be 1");
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string())
    throw Refusal("bad_request", "\"command\" must be a text");
  const auto row = commands().find(command->get<std::string>());
  if (row == commands().end())
    throw Refusal("unknown_command", "unknown command: " + command->dump());
  const Json arguments = request.contains("arguments") ? request.at("arguments") : Json::object();
  if (!arguments.is_object()) throw Refusal("bad_request", "\"arguments\" must be an object");
  for (const auto& argument : arguments.items())
    if (!row->second.arguments.contains(argument.key()))
      throw Refusal("bad_argument", row->first + " takes no argument \"" + argument.key() + "\"");
  row->second.perform(actions, arguments, answer);
}

std::string line_of(const Outcome<Json>& outcome) {
  Json line;
  if (const auto* refusal = std::get_if<Refusal>(&outcome))
    line = {{"v", kVersion},
            {"ok", false},
            {"error", {{"code", refusal->code}, {"message", refusal->what()}}}};
  else
    line = {{"v", kVersion}, {"ok", true}, {"result", std::get<Json>(outcome)}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[noreturn]] void wrong(const char* name, const char* must) {
  throw Refusal("bad_argument", "argument \"" + std::string(name) + "\" " + must);
}

}  // namespace

std::string text(const Json& arguments, const char* name, const std::string& otherwise) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return otherwise;
  if (!found->is_string()) wrong(name, "must be a text");
  return found->get<std::string>();
}

std::string required_text(const Json& arguments, const char* name) {
  if (!arguments.contains(name)) wrong(name, "is required");
  return text(arguments, name);
}

bool flag(const Json& arguments, const char* name) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return false;
  if (!found->is_boolean()) wrong(name, "must be true or false");
  return found->get<bool>();
}

std::uint64_t number(const Json& arguments, const char* name, std::uint64_t otherwise) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return otherwise;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > kMost)
    wrong(name, "must be a whole number");
  return found->get<std::uint64_t>();
}

ring::VnodeSet vnodes(const Json& arguments) {
  try {
    auto set = ring::VnodeSet::parse(required_text(arguments, "vnodes"));
    if (set.empty()) wrong("vnodes", "names no vnodes");
    return set;
  } catch (const std::invalid_argument& error) {
    throw Refusal("bad_argument", std::string("argument \"vnodes\": ") + error.what());
  }
}

std::int64_t microseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

}  // namespace admin

void perform_admin_line(const AdminActions& actions, std::string_view line,
                        std::function<void(std::string)> reply) {
  const admin::Answer answer = [reply](const Outcome<admin::Json>& outcome) {
    reply(admin::line_of(outcome));
  };
  try {
    admin::perform(actions, line, answer);
  } catch (const Refusal& refusal) {
    answer(refusal);
  } catch (const std::exception& error) {
    answer(Refusal("failed", error.what()));
  }
}

}  // namespace router
