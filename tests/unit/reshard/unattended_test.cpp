#include "reshard/unattended.hpp"

#include <doctest/doctest.h>

using namespace reshard;
using std::chrono::seconds;

namespace {

using Numbers = std::vector<std::uint64_t>;
const Unattended::Time kBegin{};

PlanSeen gone(std::uint64_t number) { return {number, true, false}; }
PlanSeen carried(std::uint64_t number) { return {number, true, true}; }
PlanSeen unknown(std::uint64_t number) { return {number, true, std::nullopt}; }
PlanSeen left_alone(std::uint64_t number) { return {number, false, false}; }

}  // namespace

TEST_CASE("unattended: a plan is due when nobody has carried it on for that long") {
  Unattended plans(seconds(10), seconds(60));
  CHECK(plans.due({gone(1), carried(2)}, kBegin) == Numbers{});
  CHECK(plans.due({gone(1), gone(2)}, kBegin + seconds(9)) == Numbers{});
  CHECK(plans.due({gone(1), gone(2)}, kBegin + seconds(10)) == Numbers{1});
  CHECK(plans.due({carried(1), gone(2)}, kBegin + seconds(19)) == Numbers{2});
}

TEST_CASE("unattended: a coordinator that was seen in between begins the time anew") {
  Unattended plans(seconds(10), seconds(60));
  CHECK(plans.due({gone(1)}, kBegin).empty());
  CHECK(plans.due({carried(1)}, kBegin + seconds(8)).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(12)).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(22)) == Numbers{1});
}

TEST_CASE("unattended: what is paused, stopped, over or taken back is left alone") {
  Unattended plans(seconds(10), seconds(60));
  CHECK(plans.due({left_alone(1)}, kBegin).empty());
  CHECK(plans.due({left_alone(1)}, kBegin + seconds(100)).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(101)).empty());
  CHECK(plans.due({}, kBegin + seconds(105)).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(112)).empty());
}

TEST_CASE("unattended: a plan whose databases can't be asked waits, and loses nothing") {
  Unattended plans(seconds(10), seconds(60));
  CHECK(plans.due({unknown(1)}, kBegin).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(20)).empty());
  CHECK(plans.due({unknown(1)}, kBegin + seconds(31)).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(32)) == Numbers{1});
}

TEST_CASE("unattended: one that could not be carried on here is left alone for a while") {
  Unattended plans(seconds(10), seconds(60));
  CHECK(plans.due({gone(1)}, kBegin).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(10)) == Numbers{1});
  plans.refused(1, kBegin + seconds(10));
  CHECK(plans.due({gone(1)}, kBegin + seconds(69)).empty());
  CHECK(plans.due({gone(1)}, kBegin + seconds(70)) == Numbers{1});
}
