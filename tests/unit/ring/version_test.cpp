#include "ring/version.hpp"

#include <doctest/doctest.h>

TEST_CASE("version: up to 2.1.0 is accepted") {
  for (const char* version :
       {"2.1.0", "2.0.0", "2.0.9", "1.0.0", "1.9.0", "0.9.9", "2.1", "2", "0"})
    CHECK_MESSAGE(ring::acceptable_version(version), version);
}

TEST_CASE("version: newer or unparsable ones are refused") {
  for (const char* version : {"2.1.1", "2.2.0", "3.0.0", "2.1.0.0", "2.1.0-rc1", "abc", "", "2.",
                              ".1", "2..1", "-1.0.0", " 1.0.0", "99999999999.0.0"})
    CHECK_MESSAGE(!ring::acceptable_version(version), version);
}
