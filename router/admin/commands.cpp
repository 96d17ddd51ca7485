#include "router/admin/commands.hpp"

#include <map>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "ring/key_transform.hpp"

namespace router {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

/// A command that can't be done; `code` is for programs.
struct Refusal : std::runtime_error {
  Refusal(std::string code_, const std::string& message) : std::runtime_error(message), code(std::move(code_)) {}
  std::string code;
};

std::string text_argument(const Json& arguments, const char* name, const std::string& otherwise = "") {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return otherwise;
  if (!found->is_string()) throw Refusal("bad_argument", "argument \"" + std::string(name) + "\" must be a text");
  return found->get<std::string>();
}

std::string required_text(const Json& arguments, const char* name) {
  if (!arguments.contains(name)) throw Refusal("bad_argument", "argument \"" + std::string(name) + "\" is required");
  return text_argument(arguments, name);
}

Json status(const AdminActions& actions, const Json&) { return Json::parse(status_page(actions.state())); }

Json shards(const AdminActions& actions, const Json&) { return Json::parse(status_page(actions.state())).at("shards"); }

Json sessions(const AdminActions& actions, const Json&) {
  Json all = Json::array();
  for (const WorkerStatus& worker : actions.state().workers)
    for (const SessionStatus& session : worker.sessions)
      all.push_back({{"id", session.id}, {"peer", session.peer}, {"inFlight", session.in_flight},
                     {"started", session.counts.started}, {"completed", session.counts.completed},
                     {"draining", session.draining}});
  return all;
}

Json locate(const AdminActions& actions, const Json& arguments) {
  const std::string bucket = required_text(arguments, "bucket"), key = required_text(arguments, "key");
  const PageState state = actions.state();
  const ring::Ring& ring = *state.snapshot->ring;
  const std::string_view transformed = ring::transform_key(bucket, key);
  const auto location = ring.locate(transformed);
  if (!location) throw Refusal("no_vnode", "the key's hash lies behind the ring's last vnode");
  return {{"bucket", bucket}, {"key", key}, {"tkey", transformed}, {"vnode", number(location->vnode)},
          {"pnode", ring.pnode_name(location->pnode)}, {"data", Json::parse(ring.data_json(location->vnode))},
          {"readOnly", ring.read_only(location->vnode)}};
}

Json reload(const AdminActions& actions, const Json& arguments) {
  const auto reloaded = actions.reload(text_argument(arguments, "ring"), text_argument(arguments, "expectDigest"));
  if (!reloaded.ok) throw Refusal("refused", reloaded.outcome);
  return {{"digest", actions.state().snapshot->ring->digest()}};
}

Json log_level(const AdminActions& actions, const Json& arguments) {
  static const std::set<std::string> kLevels{"trace", "debug", "info", "warn", "error", "fatal"};
  std::optional<std::string> wanted;
  if (arguments.contains("level")) {
    wanted = text_argument(arguments, "level");
    if (!kLevels.contains(*wanted)) throw Refusal("bad_argument", "no log level: \"" + *wanted + "\"");
  }
  return {{"level", actions.log_level(wanted)}};
}

Json drain(const AdminActions& actions, const Json&) {
  actions.drain();
  return Json::object();
}

using Command = Json (*)(const AdminActions&, const Json&);
struct Row {
  Command perform;
  std::set<std::string> arguments;
};

const std::map<std::string, Row>& commands() {
  static const std::map<std::string, Row> all = {
      {"status", {status, {}}}, {"shards", {shards, {}}}, {"sessions", {sessions, {}}},
      {"locate", {locate, {"bucket", "key"}}}, {"reload", {reload, {"ring", "expectDigest"}}},
      {"log-level", {log_level, {"level"}}}, {"drain", {drain, {}}},
  };
  return all;
}

Json perform(const AdminActions& actions, std::string_view line) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object()) throw Refusal("bad_request", "a request is one JSON object a line");
  const auto version = request.find("v");
  if (version == request.end() || *version != kVersion) throw Refusal("bad_version", "\"v\" must be 1");
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string()) throw Refusal("bad_request", "\"command\" must be a text");
  const auto row = commands().find(command->get<std::string>());
  if (row == commands().end()) throw Refusal("unknown_command", "unknown command: " + command->dump());
  const Json arguments = request.contains("arguments") ? request.at("arguments") : Json::object();
  if (!arguments.is_object()) throw Refusal("bad_request", "\"arguments\" must be an object");
  for (const auto& argument : arguments.items())
    if (!row->second.arguments.contains(argument.key()))
      throw Refusal("bad_argument", row->first + " takes no argument \"" + argument.key() + "\"");
  return row->second.perform(actions, arguments);
}

std::string text(const Json& answer) { return answer.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string perform_admin_line(const AdminActions& actions, std::string_view line) {
  const auto refused = [](const std::string& code, const std::string& message) {
    return text({{"v", kVersion}, {"ok", false}, {"error", {{"code", code}, {"message", message}}}});
  };
  try {
    return text({{"v", kVersion}, {"ok", true}, {"result", perform(actions, line)}});
  } catch (const Refusal& refusal) {
    return refused(refusal.code, refusal.what());
  } catch (const std::exception& error) {
    return refused("failed", error.what());
  }
}

}  // namespace router
