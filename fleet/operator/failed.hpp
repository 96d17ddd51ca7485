#pragma once

#include <string>

#include "coordination/requests.hpp"

namespace fleet {

/// Throws OperatorError, or OperatorRefused, for what a request has come to. `changes`: it was a
/// write, which may have been done.
[[noreturn]] void fail(const std::string& what, coordination::Outcome outcome,
                       bool changes = false);

}  // namespace fleet
