#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ring/ring.hpp"
#include "router/plan/gate.hpp"
#include "router/plan/leased_vnodes.hpp"

namespace router {

/// What a pnode's shard is, as far as a plan needs to know.
struct PnodeState {
  std::string name;
  std::string quoted_name;           ///< as a JSON string
  std::string node_prefix;           ///< a reply's `_node` up to the vnode's number
  bool read_only = false;            ///< by the configuration
  bool any_read_only_vnode = false;  ///< owns a vnode whose data is "ro"
  GateMode gate = GateMode::open;    ///< the strictest among its vnodes
  bool listens = false;              ///< can serve listen and unlisten

  bool operator==(const PnodeState&) const = default;
};

/// What the configuration says, as far as plans need it.
struct RoutingSettings {
  struct Pnode {
    bool read_only = false;
    bool listens = false;
    bool operator==(const Pnode&) const = default;
  };
  std::vector<Pnode> pnodes;  ///< in ring order; those that are missing: the defaults
  std::vector<std::string>
      local_buckets;  ///< their rows belong to the shard that they are in, not to a vnode
  bool sql = true;    ///< clients may send SQL of their own

  bool operator==(const RoutingSettings&) const = default;
};

/// A ring with the state of its shards: what requests are planned on. Immutable; replaced whole.
/// Any thread.
struct Snapshot {
  std::shared_ptr<const ring::Ring> ring;
  std::shared_ptr<const Gate> gate;            ///< never null
  std::shared_ptr<const LeasedVnodes> leased;  ///< of this ring; null: no vnode is leased
  std::vector<PnodeState> pnodes;              ///< by ring::PnodeIndex
  std::string read_only_pnode_names;           ///< joined by ", "; empty: none
  std::string tokens_json;                     ///< the pnodes as a JSON array
  std::uint64_t generation = 0;                ///< 0: a plain directory without generations
  std::uint64_t sequence = 0;                  ///< counts publications of this process, from 1

  RoutingSettings settings;  ///< what it was made of

  /// Whether rows of that bucket get their vnode. O(local buckets).
  [[nodiscard]] bool routed(std::string_view bucket) const;

  /// Derives everything but `generation` and `sequence`. `gate`, `leased`: vnodes of this ring;
  /// null: all open, none. O(pnodes + vnodes with data + blocked vnodes).
  static Snapshot make(std::shared_ptr<const ring::Ring> ring, RoutingSettings settings,
                       std::shared_ptr<const Gate> gate = nullptr,
                       std::shared_ptr<const LeasedVnodes> leased = nullptr);
};

}  // namespace router
