// Commands that show or change the ring.
#include <ctime>

#include "backends/postgres/wire/application_name.hpp"
#include "router/admin/command.hpp"

namespace router::admin {

Json json_of(const RingChange& change) {
  return {{"digest", change.digest},
          {"generation", change.generation == 0 ? Json(nullptr) : Json(change.generation)},
          {"changed", change.changed},
          {"microseconds", microseconds(change.published.took)},
          {"pauseMicroseconds", microseconds(change.published.pause)}};
}

namespace {

constexpr std::uint64_t kLeaseMs = 30'000;

/// Data as people write it: JSON, or a word.
std::string data_json(const Json& arguments) {
  const auto found = arguments.find("data");
  return found == arguments.end() || found->is_null() ? "1" : found->dump();
}

Json json_of_rings(const std::vector<ring::Generation>& rings) {
  Json all = Json::array();
  for (const ring::Generation& each : rings) {
    const std::time_t created = std::chrono::system_clock::to_time_t(each.created);
    std::tm parts{};
    gmtime_r(&created, &parts);
    char when[32];
    std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    all.push_back({{"generation", each.number},
                   {"digest", each.digest},
                   {"created", when},
                   {"current", each.current}});
  }
  return all;
}

Json json_of_difference(const ring::Difference& difference) {
  std::uint64_t moved = 0, marked = 0;
  Json moves = Json::array(), data = Json::array();
  for (const auto& move : difference.moves) {
    moved += move.vnodes.size();
    moves.push_back({{"from", move.from},
                     {"to", move.to},
                     {"count", move.vnodes.size()},
                     {"vnodes", move.vnodes.to_text()}});
  }
  for (const auto& change : difference.data) {
    marked += change.vnodes.size();
    data.push_back({{"from", Json::parse(change.from)},
                    {"to", Json::parse(change.to)},
                    {"count", change.vnodes.size()},
                    {"vnodes", change.vnodes.to_text()}});
  }
  return {{"vnodesMoved", moved},
          {"dataChanged", marked},
          {"moves", std::move(moves)},
          {"data", std::move(data)}};
}

Json json_of_prepared(const PreparedRing& prepared) {
  Json result = Json::object();
  if (prepared.rehearsed)
    return {{"rehearsed", true},
            {"baseDigest", prepared.base_digest},
            {"digest", prepared.digest},
            {"holdMs", prepared.hold.count()},
            {"application", backends::postgres::application_name()}};
  if (!prepared.token.empty()) result["lease"] = prepared.token;
  result["generation"] = prepared.generation;
  result["digest"] = prepared.digest;
  result["plan"] = prepared.plan;
  result["leaseLeftMs"] = prepared.lease_left.count();
  result["baseDigest"] = prepared.base_digest;
  result["holdMs"] = prepared.hold.count();
  result["application"] = backends::postgres::application_name();
  return result;
}

void reload(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->reload(text(arguments, "ring"), text(arguments, "expectDigest"),
                          answer_with<RingChange>(answer, json_of));
}

void remap(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->remap(vnodes(arguments), required_text(arguments, "pnode"),
                         answer_with<RingChange>(answer, json_of));
}

void set_data(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->set_data(vnodes(arguments), data_json(arguments),
                            answer_with<RingChange>(answer, json_of));
}

void rings(const AdminActions& actions, const Json&, const Answer& answer) {
  actions.control->rings(answer_with<std::vector<ring::Generation>>(answer, json_of_rings));
}

void rollback(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  std::optional<std::uint64_t> generation;
  if (arguments.contains("generation")) generation = number(arguments, "generation", 0);
  actions.control->rollback(generation, answer_with<RingChange>(answer, json_of));
}

void diff(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->diff(text(arguments, "from"), text(arguments, "to"),
                        answer_with<ring::Difference>(answer, json_of_difference));
}

void prepare_ring(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  PrepareRequest request;
  request.ring = text(arguments, "ring");
  if (request.ring.empty()) {
    request.vnodes = vnodes(arguments);
    request.pnode = required_text(arguments, "pnode");
  } else if (arguments.contains("vnodes") || arguments.contains("pnode")) {
    throw Refusal("bad_argument", "either \"ring\", or \"vnodes\" and \"pnode\"");
  }
  request.expect_digest = text(arguments, "expectDigest");
  request.base_digest = text(arguments, "baseDigest");
  request.holder = text(arguments, "holder");
  request.plan = text(arguments, "plan");
  request.from = text(arguments, "from");
  request.owner = text(arguments, "owner");
  request.rehearse = flag(arguments, "rehearse");
  request.lease = std::chrono::milliseconds(number(arguments, "leaseMs", kLeaseMs));
  actions.control->prepare_ring(std::move(request),
                                answer_with<PreparedRing>(answer, json_of_prepared));
}

void renew(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->renew(required_text(arguments, "lease"),
                         std::chrono::milliseconds(number(arguments, "leaseMs", kLeaseMs)),
                         answer_with<PreparedRing>(answer, json_of_prepared));
}

void activate(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->activate(required_text(arguments, "lease"), text(arguments, "expectDigest"),
                            answer_with<RingChange>(answer, json_of));
}

void abandon(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  actions.control->abandon(required_text(arguments, "lease"),
                           answer_with<PreparedRing>(answer, json_of_prepared));
}

}  // namespace

void add_rings(Commands& all) {
  all["reload"] = {reload, {"ring", "expectDigest"}};
  all["remap"] = {remap, {"vnodes", "pnode"}};
  all["set-data"] = {set_data, {"vnodes", "data"}};
  all["rings"] = {rings, {}};
  all["rollback"] = {rollback, {"generation"}};
  all["diff"] = {diff, {"from", "to"}};
  all["prepare"] = {prepare_ring,
                    {"vnodes", "pnode", "ring", "expectDigest", "baseDigest", "holder", "plan",
                     "from", "leaseMs", "owner", "rehearse"}};
  all["renew"] = {renew, {"lease", "leaseMs"}};
  all["activate"] = {activate, {"lease", "expectDigest"}};
  all["abandon"] = {abandon, {"lease"}};
}

}  // namespace router::admin
