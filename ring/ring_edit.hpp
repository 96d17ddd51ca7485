#pragma once

#include <memory>
#include <string>

#include "ring/vnode_set.hpp"

namespace ring {

/// A ring's parts, to be changed and made into another ring. O(vnodes).
RingParts parts_of(const Ring& ring);

/// Throws std::invalid_argument naming the vnode behind the ring's last one.
void require_vnodes(const Ring& ring, const VnodeSet& vnodes);

/// The ring with these vnodes given to a pnode, which is added last where the ring lacks it. Throws
/// std::invalid_argument: no such vnode, or a name that a LevelDB ring can't hold beside the others
/// (`key_collision`). O(vnodes of the ring).
std::shared_ptr<const Ring> remapped(const Ring& ring, const VnodeSet& vnodes,
                                     const std::string& pnode);

/// The ring with this data (a JSON text; `1` means none) on these vnodes. Throws
/// std::invalid_argument: no such vnode, or no JSON. O(vnodes of the ring).
std::shared_ptr<const Ring> with_data(const Ring& ring, const VnodeSet& vnodes,
                                      const std::string& data_json);

/// Those of the vnodes that belong to another pnode.
VnodeSet not_owned_by(const Ring& ring, const VnodeSet& vnodes, const std::string& pnode);
/// Those of the vnodes whose data is another.
VnodeSet with_other_data(const Ring& ring, const VnodeSet& vnodes, const std::string& data_json);

/// What differs between two rings of the same vnodes.
struct Difference {
  struct Move {
    std::string from, to;
    VnodeSet vnodes;
  };
  struct Data {
    std::string from, to;  ///< JSON texts
    VnodeSet vnodes;
  };
  std::vector<Move> moves;  ///< in order of their first vnodes
  std::vector<Data> data;   ///< the same
};

/// Whether a key lies in the same vnode by both: counts, algorithms and intervals are the same.
bool comparable(const Ring& from, const Ring& to);

/// Throws std::invalid_argument where the rings are not comparable. O(vnodes).
Difference difference(const Ring& from, const Ring& to);

}  // namespace ring
