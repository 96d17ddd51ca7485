#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ring/ring.hpp"
#include "router/gate.hpp"

namespace router {

/// What a pnode's shard is, as far as a plan needs to know.
struct PnodeState {
  std::string name;
  std::string quoted_name;  ///< as a JSON string
  bool read_only = false;   ///< by the configuration
  bool any_read_only_vnode = false;  ///< owns a vnode whose data is "ro"
  GateMode gate = GateMode::open;    ///< the strictest among its vnodes
  bool listens = false;     ///< can serve listen and unlisten

  bool operator==(const PnodeState&) const = default;
};

/// A ring with the state of its shards: what requests are planned on. Immutable; replaced whole.
/// Any thread.
struct Snapshot {
  std::shared_ptr<const ring::Ring> ring;
  std::shared_ptr<const Gate> gate;       ///< never null
  std::vector<PnodeState> pnodes;         ///< by ring::PnodeIndex
  std::string read_only_pnode_names;      ///< joined by ", "; empty: none
  std::string tokens_json;                ///< the pnodes as a JSON array
  std::uint64_t generation = 0;           ///< 0: a plain directory without generations
  std::uint64_t sequence = 0;             ///< counts publications of this process, from 1

  /// Derives everything but `generation` and `sequence`. `read_only`: by pnode, in ring order.
  /// `gate`: vnodes of this ring; null: all open. O(pnodes + vnodes with data + blocked vnodes).
  static Snapshot make(std::shared_ptr<const ring::Ring> ring, const std::vector<bool>& read_only,
                       std::shared_ptr<const Gate> gate = nullptr);
};

}  // namespace router
