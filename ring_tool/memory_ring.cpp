#include "ring_tool/memory_ring.hpp"

#include <algorithm>
#include <cmath>

#include "ring/big_number.hpp"
#include "ring/interval.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/pnode_order.hpp"
#include "ring/topology.hpp"
#include "ring/version.hpp"
#include "ring/vnode_number.hpp"
#include "ring_tool/failure.hpp"

namespace ring_tool {
namespace {

using Json = nlohmann::ordered_json;

const Json& member(const Json& document, const char* name, bool (Json::*is)() const noexcept,
                   const char* type) {
  const auto found = document.find(name);
  if (found == document.end() || !((*found).*is)())
    throw Failure("options.topology." + std::string(name) + " (" + type + ") is required");
  return *found;
}

std::uint32_t count_of(const Json& vnodes) {
  const double count = vnodes.get<double>();
  if (!(count >= 1) || count > ring::kVnodesMax || count != std::floor(count))
    throw Failure("options.topology.vnodes is no number of vnodes: " + vnodes.dump());
  return static_cast<std::uint32_t>(count);
}

}  // namespace

MemoryRing MemoryRing::create(ring::Algorithm algorithm, std::uint32_t vnodes,
                              const std::vector<std::string>& pnodes) {
  std::vector<std::string> sorted = pnodes;
  std::sort(sorted.begin(), sorted.end(), ring::before_in_utf16);
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw Failure("Unable to instantiate ring, duplicate pnodes in input");
  MemoryRing made;
  made.vnode_count_ = vnodes;
  made.algorithm_ = algorithm;
  made.algorithm_document_ = {{"NAME", ring::to_string(algorithm)},
                              {"MAX", std::string(2 * ring::digest_bytes(algorithm), 'F')},
                              {"VNODE_HASH_INTERVAL", ""}};
  made.recompute_interval();
  for (const std::string& name : sorted) made.pnodes_.push_back({name, {}});
  for (std::uint32_t v = 0; v < vnodes; ++v) made.pnodes_[v % sorted.size()].vnodes[v] = 1;
  return made;
}

MemoryRing MemoryRing::parse(const std::string& text) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) throw Failure("the topology is not JSON");
  if (!document.is_object()) throw Failure("options.topology (object) is required");
  MemoryRing parsed;
  const Json& map = member(document, "pnodeToVnodeMap", &Json::is_object, "object");
  parsed.vnode_count_ = count_of(member(document, "vnodes", &Json::is_number, "number"));
  parsed.algorithm_document_ = member(document, "algorithm", &Json::is_object, "object");
  const std::string version =
      member(document, "version", &Json::is_string, "string").get<std::string>();
  if (!ring::acceptable_version(version))
    throw Failure("version " + version + " is not compatible with current version 2,1,0");
  const auto name = parsed.algorithm_document_.find("NAME");
  const auto algorithm = name != parsed.algorithm_document_.end() && name->is_string()
                             ? ring::algorithm_named(name->get<std::string>())
                             : std::nullopt;
  if (!algorithm)
    throw Failure("algorithm " +
                  (name == parsed.algorithm_document_.end() ? "undefined" : name->dump()) +
                  " is not supported");
  parsed.algorithm_ = *algorithm;
  parsed.recompute_interval();
  parsed.read_map(map);
  return parsed;
}

void MemoryRing::read_map(const Json& map) {
  for (const auto& [name, vnodes] : map.items()) {
    if (!vnodes.is_object()) throw Failure("pnode " + name + " has no object of vnodes");
    Pnode pnode{name, {}};
    for (const auto& [digits, data] : vnodes.items()) {
      const auto vnode = ring::vnode_number(digits);
      if (!vnode) throw Failure("pnode " + name + " has a vnode that is no number: " + digits);
      if (owner(*vnode) != nullptr) throw Failure("vnode " + digits + " specified more than once");
      pnode.vnodes[*vnode] = data;
    }
    pnodes_.push_back(std::move(pnode));
  }
  std::stable_sort(pnodes_.begin(), pnodes_.end(), [](const Pnode& a, const Pnode& b) {
    return ring::before_in_javascript(a.name, b.name);
  });
}

void MemoryRing::recompute_interval() {
  algorithm_document_["VNODE_HASH_INTERVAL"] =
      ring::Interval::compute(algorithm_, vnode_count_).even_hex();
}

std::string MemoryRing::serialize() const {
  std::vector<const Pnode*> ordered;
  for (const Pnode& pnode : pnodes_) ordered.push_back(&pnode);
  std::stable_sort(ordered.begin(), ordered.end(), [](const Pnode* a, const Pnode* b) {
    return ring::before_in_javascript(a->name, b->name);
  });
  std::string text = "{\"vnodes\":" + std::to_string(vnode_count_) + ",\"pnodeToVnodeMap\":{";
  for (const Pnode* pnode : ordered) {
    if (text.back() == '}') text += ',';
    text += Json(pnode->name).dump() + ":{";
    for (const auto& [vnode, data] : pnode->vnodes) {
      if (text.back() != '{') text += ',';
      text += "\"" + std::to_string(vnode) + "\":" + data.dump();
    }
    text += '}';
  }
  return text + "},\"algorithm\":" + algorithm_document_.dump() + ",\"version\":\"" +
         std::string(ring::kVersion) + "\"}";
}

MemoryRing::Pnode* MemoryRing::find(const std::string& name) {
  const auto found = std::find_if(pnodes_.begin(), pnodes_.end(),
                                  [&](const Pnode& pnode) { return pnode.name == name; });
  return found == pnodes_.end() ? nullptr : &*found;
}

const MemoryRing::Pnode* MemoryRing::owner(std::int64_t vnode) const {
  if (vnode < 0 || vnode > ring::kVnodesMax) return nullptr;
  for (const Pnode& pnode : pnodes_)
    if (pnode.vnodes.contains(static_cast<std::uint32_t>(vnode))) return &pnode;
  return nullptr;
}

Place MemoryRing::locate(const std::string& key) const {
  const auto interval =
      ring::Interval::make(algorithm_, ring::Interval::compute(algorithm_, vnode_count_));
  const std::uint64_t vnode = interval->divide(ring::hash(algorithm_, key));
  const Pnode* pnode = owner(static_cast<std::int64_t>(vnode));
  if (pnode == nullptr) throw Failure("vnode " + std::to_string(vnode) + " has no pnode");
  const auto number = static_cast<std::uint32_t>(vnode);
  return {pnode->name, number, pnode->vnodes.at(number)};
}

std::vector<std::string> MemoryRing::pnodes() const {
  std::vector<std::string> names;
  for (const Pnode& pnode : pnodes_) names.push_back(pnode.name);
  std::sort(names.begin(), names.end(), ring::before_in_utf16);
  return names;
}

std::vector<std::uint32_t> MemoryRing::vnodes_of(const std::string& name) const {
  const Pnode* pnode = const_cast<MemoryRing*>(this)->find(name);
  if (pnode == nullptr) throw Failure("pnode is not in ring");
  std::vector<std::uint32_t> vnodes;
  for (const auto& [vnode, data] : pnode->vnodes) vnodes.push_back(vnode);
  return vnodes;
}

void MemoryRing::add_data(std::int64_t vnode, const Json& data) {
  const Pnode* pnode = owner(vnode);
  if (pnode == nullptr)
    throw Failure("vnode " + std::to_string(vnode) + " doesn't map to pnode (object) is required");
  find(pnode->name)->vnodes[static_cast<std::uint32_t>(vnode)] = data;
}

void MemoryRing::remap(std::int64_t vnode, const std::string& name) {
  const Pnode* owned = owner(vnode);
  if (owned == nullptr)
    throw Failure("vnode " + std::to_string(vnode) + " does not exist in the ring");
  if (owned->name == name)
    throw Failure("vnode " + std::to_string(vnode) + " already belongs to pnode");
  const auto number = static_cast<std::uint32_t>(vnode);
  Pnode* from = find(owned->name);
  Json data = std::move(from->vnodes.at(number));
  from->vnodes.erase(number);
  if (find(name) == nullptr) pnodes_.push_back({name, {}});
  find(name)->vnodes[number] = std::move(data);
}

void MemoryRing::remove_pnode(const std::string& name) {
  const Pnode* pnode = find(name);
  if (pnode == nullptr) throw Failure("pnode " + name + " not in ring, skipping");
  if (!pnode->vnodes.empty()) throw Failure("pnode still maps to vnodes, re-assign vnodes first");
  std::erase_if(pnodes_, [&](const Pnode& candidate) { return candidate.name == name; });
}

}  // namespace ring_tool
