#include "reshard/settings.hpp"

#include <doctest/doctest.h>

using namespace reshard;

TEST_CASE("settings: what is set is in force, the rest is as planned") {
  PlanOptions planned;
  Settings settings;
  settings.max_block_ms = 500;
  settings.copy_bytes_per_second = 0;
  const PlanOptions options = in_force(planned, settings);
  CHECK(options.max_block_ms == 500);
  CHECK(options.soak_seconds == planned.soak_seconds);
  planned.max_block_ms = 500;
  CHECK(options == planned);
}

TEST_CASE("settings: a lease grows with the block, and never shrinks") {
  const PlanOptions planned;
  Settings longer, shorter;
  longer.max_block_ms = 5'000;
  shorter.max_block_ms = 200;
  const Settings first = merged({}, longer, planned);
  CHECK(in_force(planned, first).lease_ms == 5'200);
  const Settings second = merged(first, shorter, planned);
  CHECK(second.max_block_ms == 200);
  // A router may have been given the longer one.
  CHECK(in_force(planned, second).lease_ms == 5'200);
  CHECK(merged({}, shorter, planned).lease_ms == 0);
}

TEST_CASE("settings: values that can't be are refused with their bounds") {
  Settings settings;
  settings.max_block_ms = 0;
  CHECK(problem_of(settings) == "--max-block 0: it is between 1 and 600000 ms");
  settings.max_block_ms.reset();
  settings.soak_seconds = kSoakMost + 1;
  CHECK(problem_of(settings).starts_with("--soak "));
  settings.soak_seconds = 0;
  CHECK(problem_of(settings).empty());
}

TEST_CASE("settings: what is written is read; none is none; nonsense names its place") {
  CHECK(settings_from_json("{}", "here").empty());
  Settings settings;
  settings.cleanup_rows_per_second = 7;
  settings.max_block_ms = 9'000;
  settings = merged({}, settings, {});
  CHECK(settings_from_json(to_json_text(settings), "here") == settings);
  CHECK(to_text(settings) ==
        "max-block 9000 ms, cleanup-rows-per-second 7, lease at least 19400 ms");
  CHECK_THROWS_WITH_AS(settings_from_json("{\"soakSeconds\": \"long\"}", "here"),
                       doctest::Contains("here"), std::runtime_error);
  CHECK_THROWS_WITH_AS(settings_from_json("{\"maxBlockMilliseconds\": 0}", "here"),
                       doctest::Contains("between"), std::runtime_error);
}
