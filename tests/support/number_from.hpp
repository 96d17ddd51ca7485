#pragma once

#include <cstdint>
#include <cstdlib>

/// A whole number from the environment, for tests that run longer where they are told to.
inline std::uint32_t number_from(const char* name, std::uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}
