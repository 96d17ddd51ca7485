#include "reshard/throttle.hpp"

#include <doctest/doctest.h>

using reshard::Throttle;

// None of these waits for what a rate of one a second would need.

TEST_CASE("throttle: without a limit nobody is asked, and nothing waits") {
  int asked = 0;
  Throttle none([] { return 0; },
                [&] {
                  ++asked;
                  return true;
                });
  CHECK(none.took(1'000'000'000));
  CHECK_FALSE(none.limited());
  CHECK(asked == 0);
}

TEST_CASE("throttle: a wait ends when it is stopped") {
  int asked = 0;
  Throttle slow([] { return 1; }, [&] { return ++asked == 3; });
  CHECK_FALSE(slow.took(1'000'000'000));
  CHECK(asked == 3);
  asked = 0;
  CHECK_FALSE(slow.pause(std::chrono::hours(1)));
  CHECK(asked == 3);
}

TEST_CASE("throttle: a limit that is taken away while it waits counts at once") {
  std::uint64_t rate = 1;
  int asked = 0;
  Throttle throttle([&] { return rate; },
                    [&] {
                      if (++asked == 2) rate = 0;
                      return false;
                    });
  CHECK(throttle.took(1'000'000));
  CHECK(asked == 2);
  CHECK_FALSE(throttle.limited());
}
