#include <doctest/doctest.h>

#include "router/control/plan_standing.hpp"

using namespace router;

namespace {

PlanStanding standing(std::string state, bool decided, std::optional<std::string> digest) {
  return standing_of({true, true, std::move(state), decided, std::move(digest)}, "mine");
}

}  // namespace

TEST_CASE("a plan's row: silence and absence decide nothing") {
  CHECK(standing_of({}, "mine") == PlanStanding::unknown);
  PlanRow row;
  row.answered = true;
  CHECK(standing_of(row, "mine") == PlanStanding::none);
}

TEST_CASE("a plan's row: undecided, whichever ring it is bound to") {
  for (const std::optional<std::string>& digest :
       {std::optional<std::string>("mine"), std::optional<std::string>("other"),
        std::optional<std::string>()}) {
    CHECK(standing("preparing", false, digest) == PlanStanding::open);
    CHECK(standing("capturing", false, digest) == PlanStanding::open);
    CHECK(standing("fenced", false, digest) == PlanStanding::fenced);
    CHECK(standing("committed", false, digest) == PlanStanding::committed);
  }
}

TEST_CASE("a plan's row: a commit brings the ring that it is bound to into force, and no other") {
  for (const char* state : {"committed", "cleaning", "done"}) {
    CHECK(standing(state, true, "mine") == PlanStanding::decided);
    CHECK(standing(state, true, "other") == PlanStanding::other_ring);
    CHECK(standing(state, true, std::nullopt) == PlanStanding::other_ring);
  }
}

TEST_CASE(
    "a plan's row: an abort takes back the ring that it is bound to, or all where it is none") {
  CHECK(standing("aborted", false, "mine") == PlanStanding::aborted);
  CHECK(standing("aborted", false, std::nullopt) == PlanStanding::aborted);
  CHECK(standing("aborted", false, "other") == PlanStanding::other_ring);
}
