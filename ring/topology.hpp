#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ring/ring.hpp"

namespace ring {

/// A new ring as node-fash's create makes it: pnodes sorted by UTF-16 code units, vnode v given to
/// sorted[v mod pnodes], all data 1. Throws RingError (leveldb_store.hpp) on bad arguments.
std::shared_ptr<const Ring> create_ring(Algorithm algorithm, std::uint32_t vnode_count,
                                        const std::vector<std::string>& pnodes);

/// Reads node-fash's serialised topology (JSON). Throws RingError naming what is wrong where.
std::shared_ptr<const Ring> parse_topology(std::string_view text);

/// Writes it: one line without the final line feed, in node-fash's member order.
std::string serialize_topology(const Ring& ring);

}  // namespace ring
