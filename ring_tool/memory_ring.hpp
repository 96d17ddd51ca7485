#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "ring/hash.hpp"

namespace ring_tool {

/// Where a key lies, as the tool prints it.
struct Place {
  std::string pnode;
  std::uint32_t vnode = 0;
  nlohmann::ordered_json data;
};

/// A ring as a topology document, edited and printed as node-fash's memory backend does: it may
/// lack vnodes, and unknown members of `algorithm` stay. Every failure throws Failure.
class MemoryRing {
 public:
  static MemoryRing create(ring::Algorithm algorithm, std::uint32_t vnodes,
                           const std::vector<std::string>& pnodes);
  static MemoryRing parse(const std::string& text);

  /// One line, without the line feed.
  [[nodiscard]] std::string serialize() const;

  [[nodiscard]] Place locate(const std::string& key) const;
  [[nodiscard]] std::vector<std::string> pnodes() const;  ///< in order of UTF-16 units
  [[nodiscard]] std::vector<std::uint32_t> vnodes_of(const std::string& pnode) const;

  void add_data(std::int64_t vnode, const nlohmann::ordered_json& data);
  void remap(std::int64_t vnode, const std::string& pnode);
  void remove_pnode(const std::string& pnode);

 private:
  struct Pnode {
    std::string name;
    std::map<std::uint32_t, nlohmann::ordered_json> vnodes;
  };
  void read_map(const nlohmann::ordered_json& map);
  void recompute_interval();
  Pnode* find(const std::string& name);
  [[nodiscard]] const Pnode* owner(std::int64_t vnode) const;

  std::uint32_t vnode_count_ = 0;
  std::vector<Pnode> pnodes_;  // as given, new ones last
  ring::Algorithm algorithm_ = ring::Algorithm::sha256;
  nlohmann::ordered_json algorithm_document_;
};

}  // namespace ring_tool
