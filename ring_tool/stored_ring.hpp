#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <leveldb/db.h>

#include "ring/overlay_env.hpp"
#include "ring_tool/memory_ring.hpp"

namespace ring_tool {

/// node-fash's LevelDB ring, read key by key and edited in place (spec ring 3 to 5). Reading harms
/// nobody and takes no lock; editing takes the directory's. Every failure throws Failure, in
/// node-fash's words where it had some.
///
/// Edits are staged and seen by later ones; `commit` writes them all as one synced batch, so that a
/// crash leaves the old ring or the new one, whole. node-fash wrote a batch for each vnode.
class StoredRing {
 public:
  enum class Access : std::uint8_t { read, edit };
  StoredRing(const std::string& directory, Access access);
  ~StoredRing();
  StoredRing(const StoredRing&) = delete;
  StoredRing& operator=(const StoredRing&) = delete;

  [[nodiscard]] Place locate(const std::string& key);
  /// A vnode's owner and data; Failure in get-vnode-pnode-and-data's words.
  [[nodiscard]] Place vnode(std::int64_t vnode);
  [[nodiscard]] std::vector<std::string> pnodes();
  [[nodiscard]] std::vector<std::uint32_t> vnodes_of(const std::string& pnode);
  [[nodiscard]] std::vector<std::uint32_t> data_vnodes();
  /// The topology, one line; reads the whole ring. O(vnodes).
  [[nodiscard]] std::string serialize();
  /// Every pnode that owns vnodes, in order of its first one, with them ascending. O(vnodes).
  [[nodiscard]] std::vector<std::pair<std::string, std::vector<std::uint32_t>>> owners();

  /// `data`: JSON text; 1 resets. Many at once: all or nothing, O(n log n).
  void add_data(std::int64_t vnode, const std::string& data);
  void add_data(const std::vector<std::uint32_t>& vnodes, const std::string& data);
  void remap(std::int64_t vnode, const std::string& pnode);
  void remap(const std::vector<std::uint32_t>& vnodes, const std::string& pnode);  ///< none twice
  void remove_pnode(const std::string& pnode);
  void commit();

 private:
  void open(const std::string& directory, Access access);
  void check();
  std::optional<std::string> get(const std::string& key);
  std::string required(const std::string& key, const std::string& failure);
  void put(const std::string& key, std::string value) { staged_[key] = std::move(value); }
  void erase(const std::string& key) { staged_[key] = std::nullopt; }
  std::vector<std::uint32_t>* list(const std::string& key);
  std::vector<std::string> names();
  [[nodiscard]] std::vector<std::string> owner_of_each();

  std::unique_ptr<ring::OverlayEnv> env_;  // outlives the database
  std::unique_ptr<leveldb::DB> db_;
  bool editing_ = false;
  std::uint32_t vnode_count_ = 0;
  std::map<std::string, std::optional<std::string>> staged_;
  std::map<std::string, std::vector<std::uint32_t>> lists_;  // parsed once, written at commit
  std::set<std::string> changed_lists_;
};

}  // namespace ring_tool
