#pragma once

#include <optional>

#include "fast/error_payload.hpp"
#include "ring/ring.hpp"
#include "router/snapshot.hpp"

namespace router {

/// May a write to this vnode start? The ring's data first, then the configuration.
std::optional<fast::Error> refuse_write(const Snapshot& snapshot, ring::Location location);
/// May a write that names no vnode start on one shard?
std::optional<fast::Error> refuse_shard_write(const Snapshot& snapshot, ring::PnodeIndex pnode);
/// May a write to every shard start? `any_data`: whether vnode data of any kind refuses it
/// (bucket changes, sql), or only "ro". `override_vnodes`: sql's readOnlyOverride.
std::optional<fast::Error> refuse_fleet_write(const Snapshot& snapshot, bool any_data,
                                              bool override_vnodes);

}  // namespace router
