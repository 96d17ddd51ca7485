#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ring/ring.hpp"

namespace ring {

/// A ring as one process hands it to another of the same program: never stored. O(vnodes).
std::string to_image(const Ring& ring);
/// Throws std::invalid_argument: it is no such image, or of another ring than it says. O(vnodes).
std::shared_ptr<const Ring> from_image(std::string_view image);

}  // namespace ring
