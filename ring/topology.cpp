#include "ring/topology.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "json/document.hpp"
#include "ring/digest.hpp"
#include "ring/interval.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/pnode_order.hpp"
#include "ring/version.hpp"
#include "ring/vnode_number.hpp"

namespace ring {
namespace {

[[noreturn]] void refuse_topology(const std::string& reason) {
  throw RingError("topology: " + reason);
}

std::string interval_of(Algorithm algorithm, std::uint32_t vnode_count) {
  return Interval::compute(algorithm, vnode_count).even_hex();
}

std::shared_ptr<const Ring> make(RingParts parts) {
  try {
    return Ring::make(std::move(parts));
  } catch (const std::invalid_argument& error) {
    throw RingError(error.what());
  }
}

json::Value member(json::Value object, std::string_view name, json::Type type,
                   const std::string& type_name) {
  const auto value = object.find(name);
  if (!value || !value->is(type))
    refuse_topology("\"" + std::string(name) + "\" (" + type_name + ") is required");
  return *value;
}

std::string string_of(json::Value value) {
  std::string scratch;
  return std::string(value.string(scratch));
}

std::uint32_t vnode_count_of(json::Value value) {
  const double count = std::strtod(std::string(value.text()).c_str(), nullptr);
  if (!(count >= 1) || count > kVnodesMax || count != std::floor(count))
    refuse_topology("\"vnodes\" is not a number of vnodes: " + std::string(value.text()));
  return static_cast<std::uint32_t>(count);
}

/// A vnode's data as node-fash would store it: compact, strings and the number 1 in one spelling.
std::string data_text(json::Value value) {
  if (value.is(json::Type::string)) return json_string(string_of(value));
  if (value.is(json::Type::number) && std::strtod(std::string(value.text()).c_str(), nullptr) == 1)
    return "1";
  std::string compact;
  bool inside = false;  // a string
  bool escaped = false;
  for (const char c : value.text()) {
    if (!inside && std::string_view(" \t\r\n").find(c) != std::string_view::npos) continue;
    compact += c;
    if (c == '"' && !escaped) inside = !inside;
    escaped = inside && c == '\\' && !escaped;
  }
  return compact;
}

/// The map from pnode to its vnodes and their data.
void read_map(json::Value map, RingParts& parts) {
  constexpr std::uint16_t kNobody = 0xffff;
  std::vector<std::pair<std::string, json::Value>> pnodes;
  for (const json::Member pnode : map.members()) {
    if (!pnode.value.is(json::Type::object))
      refuse_topology("pnodeToVnodeMap: pnode " + std::string(pnode.name.text()) +
                      " has no object of vnodes");
    pnodes.emplace_back(string_of(pnode.name), pnode.value);
  }
  std::stable_sort(pnodes.begin(), pnodes.end(), [](const auto& a, const auto& b) {
    return before_in_javascript(a.first, b.first);
  });
  for (const auto& [name, vnodes] : pnodes) {
    const auto index = static_cast<std::uint16_t>(parts.pnodes.size());
    parts.pnodes.push_back(name);
    for (const json::Member entry : vnodes.members()) {
      const std::string digits = string_of(entry.name);
      const auto named = vnode_number(digits);
      if (!named || *named >= parts.owners.size())
        refuse_topology("pnodeToVnodeMap: pnode \"" + name + "\" has vnode \"" + digits +
                        "\", which is not of this ring");
      const std::uint32_t vnode = *named;
      if (parts.owners[vnode] != kNobody)
        refuse_topology("pnodeToVnodeMap: vnode " + digits + " is mapped twice");
      parts.owners[vnode] = index;
      if (entry.value.text() != "1") parts.data.emplace_back(vnode, data_text(entry.value));
    }
  }
  for (std::size_t vnode = 0; vnode < parts.owners.size(); ++vnode)
    if (parts.owners[vnode] == kNobody)
      refuse_topology("pnodeToVnodeMap: vnode " + std::to_string(vnode) + " has no pnode");
}

/// JSON can hold UTF-8 only; another name would not be the same again when read back.
void check_name(const std::string& name) {
  if (name.empty()) throw RingError("a pnode's name is empty");
  if (nlohmann::json::parse(json_string(name)).get<std::string>() != name)
    throw RingError("a pnode's name is not UTF-8: " + json_string(name));
}

}  // namespace

std::shared_ptr<const Ring> create_ring(Algorithm algorithm, std::uint32_t vnode_count,
                                        const std::vector<std::string>& pnodes) {
  if (vnode_count == 0 || vnode_count > kVnodesMax)
    throw RingError("a ring has between 1 and 100,000,000 vnodes, not " +
                    std::to_string(vnode_count));
  RingParts parts;
  parts.algorithm = algorithm;
  parts.interval_hex = interval_of(algorithm, vnode_count);
  std::vector<std::string> sorted = pnodes;
  if (sorted.empty()) throw RingError("a ring needs at least one pnode");
  for (const std::string& name : sorted) check_name(name);
  std::sort(sorted.begin(), sorted.end(), before_in_utf16);
  parts.pnodes = sorted;
  std::stable_sort(parts.pnodes.begin(), parts.pnodes.end(), before_in_javascript);
  std::unordered_map<std::string, std::uint16_t> index;
  for (std::size_t i = 0; i < parts.pnodes.size(); ++i)
    index.emplace(parts.pnodes[i], static_cast<std::uint16_t>(i));
  for (std::uint32_t vnode = 0; vnode < vnode_count; ++vnode)
    parts.owners.push_back(index.at(sorted[vnode % sorted.size()]));
  return make(std::move(parts));
}

std::shared_ptr<const Ring> parse_topology(std::string_view text) {
  json::Document document;
  if (const auto problem = document.parse(text))
    refuse_topology("not JSON, at byte " + std::to_string(problem->offset));
  const json::Value root = document.root();
  if (!root.is(json::Type::object)) refuse_topology("not an object");

  RingParts parts;
  const json::Value map = member(root, "pnodeToVnodeMap", json::Type::object, "object");
  const std::uint32_t count = vnode_count_of(member(root, "vnodes", json::Type::number, "number"));
  const json::Value algorithm = member(root, "algorithm", json::Type::object, "object");
  const std::string version = string_of(member(root, "version", json::Type::string, "string"));
  if (!acceptable_version(version))
    refuse_topology("version " + version + " is not compatible with current version 2,1,0");
  const std::string name = string_of(member(algorithm, "NAME", json::Type::string, "string"));
  const auto known = algorithm_named(name);
  if (!known) refuse_topology("algorithm " + name + " is not supported");
  parts.algorithm = *known;
  const std::string hex =
      string_of(member(algorithm, "VNODE_HASH_INTERVAL", json::Type::string, "hex string"));
  const auto interval = BigNumber::from_hex(hex);
  if (!interval) refuse_topology("VNODE_HASH_INTERVAL \"" + hex + "\" is not hexadecimal");
  parts.interval_hex = interval->even_hex();
  parts.owners.assign(count, 0xffff);
  read_map(map, parts);
  return make(std::move(parts));
}

std::string serialize_topology(const Ring& ring) {
  std::vector<std::string> maps(ring.pnodes().size());
  for (std::uint32_t v = 0; v < ring.vnode_count(); ++v) {
    const auto vnode = static_cast<Vnode>(v);
    std::string& map = maps[number(ring.owner(vnode))];
    if (!map.empty()) map += ',';
    map += '"' + std::to_string(v) + "\":";
    map += ring.data_json(vnode);
  }
  std::string text = "{\"vnodes\":" + std::to_string(ring.vnode_count()) + ",\"pnodeToVnodeMap\":{";
  bool first = true;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (maps[i].empty()) continue;  // as node-fash's LevelDB backend leaves them out
    if (!first) text += ',';
    first = false;
    text += json_string(ring.pnodes()[i]) + ":{" + maps[i] + "}";
  }
  const std::string_view name = to_string(ring.algorithm());
  text += "},\"algorithm\":{\"NAME\":\"" + std::string(name) + "\",\"MAX\":\"" +
          std::string(2 * digest_bytes(ring.algorithm()), 'F') + "\",\"VNODE_HASH_INTERVAL\":\"" +
          ring.interval_hex() + "\"},\"version\":" + json_string(ring.version()) + "}";
  return text;
}

}  // namespace ring
