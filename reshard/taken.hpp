#pragma once

#include <string>

#include "backends/postgres/wire/session.hpp"
#include "ring/vnode_set.hpp"

namespace reshard {

/// Which plan has moved one of these vnodes away from a shard, as that shard's database knows it;
/// for people, as the end of a sentence: `: plan 1 has moved vnode 3 to tcp://…, and is not
/// finalized there`. Empty: the database knows of none, since nobody has moved them, a person has
/// by a change of the ring, or the plan is forgotten. Throws SessionError. Complexity: one look at
/// the vnodes' plans.
std::string taken_by(backends::postgres::Session& shard, const ring::VnodeSet& vnodes);

}  // namespace reshard
