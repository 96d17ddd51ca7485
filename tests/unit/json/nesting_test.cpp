#include "json/nesting.hpp"

#include <string>

#include <doctest/doctest.h>

TEST_CASE("nesting: what is deeper than the bound is told; brackets in texts don't count") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK_FALSE(json::nested_too_deep(""));
  CHECK_FALSE(json::nested_too_deep(nested(json::kNestingMost)));
  CHECK(json::nested_too_deep(nested(json::kNestingMost + 1)));
  CHECK(json::nested_too_deep(std::string(json::kNestingMost + 1, '{')));
  CHECK_FALSE(json::nested_too_deep("\"" + nested(5'000) + "\""));
  CHECK_FALSE(json::nested_too_deep("\"\\\"" + std::string(5'000, '[') + "\""));
  CHECK(json::nested_too_deep("\"\\\\\"" + std::string(5'000, '[')));
  std::string flat = "[";
  for (int i = 0; i < 5'000; ++i) flat += "[],{},";
  CHECK_FALSE(json::nested_too_deep(flat + "0]"));
}
