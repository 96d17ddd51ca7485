#pragma once

#include <cstdint>
#include <optional>

#include "config/config.hpp"
#include "ring/generation_store.hpp"

namespace router {

/// The store of generations that the configuration's ring is in; Refusal, in the name of `what`,
/// where it is a plain ring.
/// `elsewhere`: as GenerationStore's.
ring::GenerationStore store_of(const config::Config& config, const char* what,
                               const ring::Load& elsewhere);

/// The generation that a rollback goes to: the named one, or the one that was in force before the
/// current one. Refusal where there is none.
ring::Generation generation_before(const ring::GenerationStore& rings,
                                   std::optional<std::uint64_t> named);

}  // namespace router
