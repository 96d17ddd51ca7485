#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ring/generation_store.hpp"
#include "ring/location.hpp"
#include "ring/ring_edit.hpp"
#include "router/control/directory_edits.hpp"

namespace router {

using RingInForce = ring::LocatedRing;

/// Throws ring::RingError or std::system_error.
RingInForce load_ring(const std::string& location, const ring::Load& elsewhere = {});

/// Edits the files, which a crash leaves whole, old or new, and loads what is there afterwards: one
/// synced batch in a plain directory, a new generation in a store. The vnodes must be those that
/// the edit truly changes. Throws; nothing is changed then.
RingInForce edit_ring(const std::string& location, const RingEdit& edit,
                      const ring::Load& elsewhere);

/// The same in memory. Throws std::invalid_argument naming what is wrong with the edit.
std::shared_ptr<const ring::Ring> edited(const ring::Ring& ring, const RingEdit& edit);

/// Stages a ring under that number in a store: as an edit of the current one, which is `now`, where
/// little differs, else whole. Throws; nothing is changed then.
ring::LoadedGeneration stage_numbered(ring::GenerationStore& store, const ring::Ring& now,
                                      const ring::Ring& next, std::uint64_t number);

}  // namespace router
