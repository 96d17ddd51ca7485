#include "reshard/progress_bar.hpp"

#include <doctest/doctest.h>

using reshard::ProgressBar;

TEST_CASE("progress: how far, how fast, how long still") {
  ProgressBar half("copy", "rows", 1000);
  half.add(500);
  CHECK(half.line(10) == "copy: [##########..........] 50 %, 500 rows, 50 a second, 10 s left");
  CHECK(half.line(500) ==
        "copy: [##########..........] 50 %, 500 rows, 1 a second, 8 min 20 s left");
  CHECK(half.line(36'000) == "copy: [##########..........] 50 %, 500 rows, 10 h 00 min left");
  CHECK(half.line(0) == "copy: [##########..........] 50 %, 500 rows");
}

TEST_CASE("progress: an estimate that was too low, and none at all") {
  ProgressBar more("copy", "rows", 10);
  more.add(20);
  CHECK(more.line(1) == "copy: [####################] 100 %, 20 rows, 20 a second");
  ProgressBar none("copy", "rows", 0);
  CHECK(none.line(1) == "copy: 0 rows");
  none.add(7);
  CHECK(none.line(1) == "copy: 7 rows, 7 a second");
}
