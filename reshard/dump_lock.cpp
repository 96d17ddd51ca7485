#include "reshard/dump_lock.hpp"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "reshard/plan.hpp"

namespace reshard {
namespace {

using Json = nlohmann::ordered_json;
using coordination::Create;
using coordination::Node;
using coordination::Remove;
using coordination::Set;

constexpr const char* kOwner = "moray-router";
constexpr std::size_t kShownBytes = 400;  ///< of a node's value, which may be anything

/// A node that this program has written: whose it is, and each holder's members, as they were read,
/// so that what a later program adds to them stays.
struct Content {
  std::string fleet;
  std::vector<Json> holders;
};

/// nullopt: somebody else has written it.
std::optional<Content> content_of(const Node& node) {
  Json first = Json::parse(node.value, nullptr, false);
  const auto says = [](const Json& json, const char* name) {
    return json.is_object() && json.contains(name) && json.at(name).is_string();
  };
  if (!says(first, "owner") || first.at("owner") != kOwner || !says(first, "fleet") ||
      !says(first, "token"))
    return std::nullopt;
  Content content{first.at("fleet").get<std::string>(), {}};
  const Json others = first.value("others", Json::array());
  if (!others.is_array()) return std::nullopt;
  for (const char* name : {"owner", "fleet", "others"}) first.erase(name);
  content.holders.push_back(std::move(first));
  for (const Json& other : others) {
    if (!says(other, "token")) return std::nullopt;
    content.holders.push_back(other);
  }
  return content;
}

/// The oldest holder's members are the node's own, so that what a person reads of one is plain.
std::string text_of(const Content& content) {
  Json json{{"owner", kOwner}, {"fleet", content.fleet}};
  json.update(content.holders.front());
  if (content.holders.size() > 1)
    json["others"] = std::vector<Json>(content.holders.begin() + 1, content.holders.end());
  return json.dump();
}

Json holder_of(const LockClaim& claim) {
  return {
      {"plan", claim.plan}, {"token", claim.token}, {"host", claim.host}, {"since", claim.since}};
}

std::vector<Json>::iterator find(Content& content, const std::string& token) {
  auto each = content.holders.begin();
  while (each != content.holders.end() && each->at("token") != token) ++each;
  return each;
}

LockStep held_by_others(const LockClaim& mine, const Node& node, const std::string& why = "") {
  std::string says = node.value.substr(0, kShownBytes);
  if (!std::all_of(says.begin(), says.end(), [](char each) { return each >= ' ' && each <= '~'; }))
    says = Json(says).dump(-1, ' ', true, Json::error_handler_t::replace);
  if (node.value.size() > kShownBytes) says += "...";
  const std::string who = mine.path + " is there since " + time_of(node.created_ms) + " and says " +
                          (node.value.empty() ? "nothing" : says);
  return {LockStep::Kind::others, {}, {who + why, node.created_ms}};
}

}  // namespace

bool can_be_lock(const std::string& path) { return coordination::well_formed(path) && path != "/"; }

LockStep step_to_take(const LockClaim& mine, const std::optional<Node>& node) {
  if (!node) {
    const std::string value = text_of({mine.fleet, {holder_of(mine)}});
    return {LockStep::Kind::write, Create{mine.path, value, false, true}, {}};
  }
  auto content = content_of(*node);
  if (!content) return held_by_others(mine, *node);
  if (find(*content, mine.token) != content->holders.end()) return {};
  if (content->fleet != mine.fleet) return held_by_others(mine, *node);
  content->holders.push_back(holder_of(mine));
  const std::string value = text_of(*content);
  if (value.size() > coordination::kNodeBytesMost)
    return held_by_others(mine, *node, ": no more plans fit into it");
  return {LockStep::Kind::write, Set{mine.path, value, node->version}, {}};
}

LockStep step_to_give_back(const LockClaim& mine, const std::optional<Node>& node) {
  if (!node) return {};
  auto content = content_of(*node);
  if (!content) return {};
  const auto own = find(*content, mine.token);
  if (own == content->holders.end()) return {};
  content->holders.erase(own);
  if (content->holders.empty())
    return {LockStep::Kind::write, Remove{mine.path, node->version}, {}};
  return {LockStep::Kind::write, Set{mine.path, text_of(*content), node->version}, {}};
}

}  // namespace reshard
