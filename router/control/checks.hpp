#pragma once

#include <cstdint>
#include <string>

#include "config/config.hpp"
#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

namespace router {

// What is wrong with a change of a ring, as a Refusal. Any thread.

/// A pnode that the ring lacks may join it, where the configuration names its shard.
void require_pnode(const config::Config& config, const ring::Ring& ring, const std::string& pnode);
/// The pnode's rows are in PostgreSQL.
void require_database(const config::Config& config, const std::string& pnode);
/// The vnodes are the pnode's.
void require_owner(const ring::Ring& ring, const ring::VnodeSet& vnodes, const std::string& pnode);
/// `wanted`: empty: any. `which`: whose digest it is, for the text.
void require_digest(const char* which, const std::string& found, const std::string& wanted);

/// Vnodes that change hands; none where the rings can't be compared.
ring::VnodeSet moved_between(const ring::Ring& from, const ring::Ring& to);
/// Vnodes that change hands or data; all of them where the rings can't be compared.
std::uint64_t changed_between(const ring::Ring& from, const ring::Ring& to);
ring::VnodeSet all_changed_between(const ring::Ring& from, const ring::Ring& to);

}  // namespace router
