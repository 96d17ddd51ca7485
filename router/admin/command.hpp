#pragma once

#include <map>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "router/admin/commands.hpp"

/// For the files that make up the commands.
namespace router::admin {

using Json = nlohmann::ordered_json;
using Answer = std::function<void(Outcome<Json>)>;

/// May throw Refusal, or answer later.
using Perform = void (*)(const AdminActions& actions, const Json& arguments, const Answer& answer);
struct Command {
  Perform perform;
  std::set<std::string> arguments;
};
using Commands = std::map<std::string, Command>;

void add_shown(Commands& all);   ///< what shows the router's state
void add_rings(Commands& all);   ///< what shows or changes its ring
void add_blocks(Commands& all);  ///< what blocks writes
void add_ownership(Commands& all);

/// Of a command's arguments; Refusal naming the one that is wrong or missing.
std::string text(const Json& arguments, const char* name, const std::string& otherwise = "");
std::string required_text(const Json& arguments, const char* name);
bool flag(const Json& arguments, const char* name);
std::uint64_t number(const Json& arguments, const char* name, std::uint64_t otherwise);
/// Numbers and ranges in a text.
ring::VnodeSet vnodes(const Json& arguments);

/// Passes a result on as JSON.
template <typename Result>
Done<Result> answer_with(const Answer& answer, Json (*to_json)(const Result&)) {
  return [answer, to_json](Outcome<Result> outcome) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) return answer(*refusal);
    answer(to_json(std::get<Result>(outcome)));
  };
}

std::int64_t microseconds(std::chrono::nanoseconds time);
Json json_of(const RingChange& change);

}  // namespace router::admin
