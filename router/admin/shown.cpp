// Commands that show the router's state, and its log level and end.
#include <algorithm>

#include "json/nesting.hpp"
#include "ring/key_transform.hpp"
#include "router/admin/command.hpp"

namespace router::admin {
namespace {

using ring::number;

void status(const AdminActions& actions, const Json&, const Answer& answer) {
  answer(Json::parse(status_page(actions.state())));
}

void shards(const AdminActions& actions, const Json&, const Answer& answer) {
  answer(Json(Json::parse(status_page(actions.state())).at("shards")));
}

void sessions(const AdminActions& actions, const Json&, const Answer& answer) {
  Json all = Json::array();
  for (const WorkerStatus& worker : actions.state().workers)
    for (const SessionStatus& session : worker.sessions)
      all.push_back({{"id", session.id},
                     {"peer", session.peer},
                     {"inFlight", session.in_flight},
                     {"started", session.counts.started},
                     {"completed", session.counts.completed},
                     {"draining", session.draining}});
  answer(std::move(all));
}

/// What a getObject answered: the object, or its shard's error.
Json object_of(const LocalAnswer& got) {
  if (got.error) {
    const Json error = json::parse_bounded<Json>(*got.error);
    return {{"error", error.is_object() ? error.value("d", Json()) : Json()}};
  }
  for (const std::string& frame : got.frames) {
    const Json payload = json::parse_bounded<Json>(frame);
    if (payload.is_discarded())
      return {{"error", {{"name", "Unshown"}, {"message", "it is nested too deep to be shown"}}}};
    if (!payload.is_object() || !payload.contains("d")) continue;
    if (const Json& data = payload.at("d"); data.is_array() && !data.empty())
      return {{"object", data.front()}};
  }
  return {{"object", nullptr}};
}

void locate(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  const std::string bucket = required_text(arguments, "bucket"),
                    key = required_text(arguments, "key");
  const auto published = actions.control->publisher().current();
  const ring::Ring& ring = *published->snapshot->ring;
  const std::string_view transformed = ring::transform_key(bucket, key);
  const auto location = ring.locate(transformed);
  if (!location) throw Refusal("no_vnode", "the key's hash lies beyond the ring's last vnode");
  static constexpr const char* kGates[] = {"open", "hold", "refuse"};
  Json place{
      {"bucket", bucket},
      {"key", key},
      {"tkey", transformed},
      {"vnode", number(location->vnode)},
      {"pnode", ring.pnode_name(location->pnode)},
      {"data", Json::parse(ring.data_json(location->vnode))},
      {"readOnly", ring.read_only(location->vnode)},
      {"gate", kGates[static_cast<std::size_t>(published->snapshot->gate->mode(location->vnode))]}};
  if (!flag(arguments, "get")) return answer(std::move(place));
  const Json request{{"m", {{"uts", 0}, {"name", "getObject"}}},
                     {"d", {bucket, key, {{"noCache", true}}}}};
  actions.call(request.dump(-1, ' ', false, Json::error_handler_t::replace),
               [answer, place = std::move(place)](const LocalAnswer& got) mutable {
                 place.update(object_of(got));
                 answer(std::move(place));
               });
}

void log_level(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  static const std::set<std::string> kLevels{"trace", "debug", "info", "warn", "error", "fatal"};
  std::optional<std::string> wanted;
  if (arguments.contains("level")) {
    wanted = text(arguments, "level");
    if (!kLevels.contains(*wanted))
      throw Refusal("bad_argument", "no log level: \"" + *wanted + "\"");
  }
  answer(Json{{"level", actions.log_level(wanted)}});
}

void heat(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  std::optional<bool> on;
  if (arguments.contains("on")) on = flag(arguments, "on");
  const std::uint64_t top = admin::number(arguments, "top", 20);
  const auto counts = actions.heat(on);
  Json result{{"on", !counts.empty()},
              {"sampled", "1 operation in " + std::to_string(Heat::kSampled)}};
  if (counts.empty()) return answer(std::move(result));
  const auto published = actions.control->publisher().current();
  const ring::Ring& ring = *published->snapshot->ring;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> hottest;  // operations, vnode
  std::vector<std::uint64_t> by_shard(ring.pnodes().size());
  std::uint64_t total = 0, bytes = 0;
  for (const auto& worker : counts) bytes += worker->bytes();
  for (std::uint32_t vnode = 0; vnode < ring.vnode_count(); ++vnode) {
    std::uint64_t operations = 0;
    for (const auto& worker : counts)
      operations += worker->counted(static_cast<ring::Vnode>(vnode));
    if (operations == 0) continue;
    operations *= Heat::kSampled;
    total += operations;
    by_shard[number(ring.owner(static_cast<ring::Vnode>(vnode)))] += operations;
    hottest.emplace_back(operations, vnode);
  }
  const auto shown = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(top, hottest.size()));
  std::partial_sort(hottest.begin(), hottest.begin() + shown, hottest.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  Json vnodes_shown = Json::array(), shards_shown = Json::array();
  for (std::ptrdiff_t i = 0; i < shown; ++i) {
    const auto [operations, vnode] = hottest[static_cast<std::size_t>(i)];
    vnodes_shown.push_back({{"vnode", vnode},
                            {"pnode", ring.pnode_name(ring.owner(static_cast<ring::Vnode>(vnode)))},
                            {"operations", operations}});
  }
  for (std::size_t i = 0; i < by_shard.size(); ++i)
    shards_shown.push_back({{"pnode", ring.pnodes()[i]}, {"operations", by_shard[i]}});
  result["operations"] = total;
  result["memoryBytesMost"] = bytes;
  result["vnodes"] = std::move(vnodes_shown);
  result["shards"] = std::move(shards_shown);
  answer(std::move(result));
}

void drain(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  const bool leaves = flag(arguments, "leave");
  if (leaves && !actions.control->config()->fleet.enabled())
    throw Refusal("bad_argument", "this router is a member of no fleet that it could leave");
  answer(Json::object());  // first: what is answered by then is written before the end
  actions.drain(leaves);
}

}  // namespace

void add_shown(Commands& all) {
  all["status"] = {status, {}};
  all["shards"] = {shards, {}};
  all["sessions"] = {sessions, {}};
  all["locate"] = {locate, {"bucket", "key", "get"}};
  all["log-level"] = {log_level, {"level"}};
  all["heat"] = {heat, {"on", "top"}};
  all["drain"] = {drain, {"leave"}};
}

}  // namespace router::admin
