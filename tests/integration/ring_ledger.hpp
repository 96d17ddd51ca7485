#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/contract/shard_client.hpp"

/// What clients and the operator of a run know, and what may follow from it.
namespace integration {

constexpr int kDeleted = 0;  ///< what a deleted key holds; values start at 1

/// What the operator has made of the router; a new one with each change.
struct Era {
  std::map<std::uint32_t, std::string> owner;  // by vnode
  std::set<std::uint32_t> held, refused, marked;
};

/// A write as its client knows it.
struct Write {
  int value = kDeleted;
  std::size_t sent = 0;              // era
  std::optional<std::string> pnode;  // where it was answered to be
  std::set<std::string> possible;    // where it may be; empty: nowhere
  bool certain = false;              // answered as done
  bool taken = false;                // its answer was looked at
  bool strays = false;               // its session was lost: it may be done at any time since
  test_support::CollectingSink sink;
};

struct Key {
  std::string name;
  std::uint32_t vnode = 0;
  std::list<Write> writes;  // in the order of submission, by one session at a time
  std::size_t open = 0;     // of those, unanswered
};

/// A read as its client knows it.
struct Read {
  Key* key = nullptr;
  std::size_t sent = 0;           // era
  std::size_t writes_before = 0;  // that had been submitted
  /// By pnode: the last certain write before it, counted from 1.
  std::map<std::string, std::size_t> known;
  test_support::CollectingSink sink;
};

class Ledger {
 public:
  Ledger() { eras_.emplace_back(); }

  Era& now() { return eras_.back(); }
  [[nodiscard]] std::size_t era() const { return eras_.size() - 1; }
  /// As the last one, to be changed.
  Era& next_era();

  /// Where this vnode lay in any era from that one on.
  [[nodiscard]] std::set<std::string> owners_since(std::uint32_t vnode, std::size_t era) const;
  [[nodiscard]] bool could_be_refused(std::uint32_t vnode, std::size_t era) const;

  /// The number (from 1) of the last write that was certainly done on that shard; 0: none.
  static std::size_t last_certain(const Key& key, const std::string& pnode);
  /// May this be what the key holds on that shard, when writes up to `least` are surely there?
  [[nodiscard]] bool explained(const Key& key, const std::string& pnode, int value,
                               std::size_t least) const;

 private:
  std::vector<Era> eras_;
};

}  // namespace integration
