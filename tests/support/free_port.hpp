#pragma once

#include <cstdint>

namespace test_support {

/// A loopback port that nobody has, and that the system gives to no outgoing connection: one of
/// these may have it before a server starts, or while it starts again. Throws std::runtime_error.
std::uint16_t free_port();

}  // namespace test_support
