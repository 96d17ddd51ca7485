#include "router/control/pending.hpp"

#include <doctest/doctest.h>

using namespace router;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

constexpr nanoseconds at(int ms) { return milliseconds(ms); }

PendingRing of_plan() {
  return {2,
          "d2",
          "17",
          "token",
          "tcp://1.moray.lab:2020",
          "tcp://2.moray.lab:2020",
          ring::VnodeSet::parse("0-9"),
          milliseconds(100)};
}
PendingRing by_hand() {
  PendingRing ring = of_plan();
  ring.from.clear();
  return ring;
}

std::string code(const std::optional<Refusal>& refusal) { return refusal ? refusal->code : ""; }

}  // namespace

TEST_CASE("pending: a record is read as it was written, and an older version's too") {
  CHECK(PendingRing::parse(of_plan().to_text()) == of_plan());
  CHECK(PendingRing::parse(R"({"generation":3,"digest":"d","plan":"by hand"})") ==
        PendingRing{3, "d", "by hand", "", "", "", {}, {}});
  CHECK_FALSE(PendingRing::parse(""));
  CHECK_FALSE(PendingRing::parse(R"({"generation":"3"})"));
  CHECK_FALSE(PendingRing::parse(R"({"vnodes":"9-1"})"));
}

TEST_CASE("pending: where nothing is prepared, changes are free and holders are refused") {
  const Pending pending;
  CHECK(code(pending.against_change("reload", at(0))) == "");
  CHECK(code(pending.against_prepare("token", at(0))) == "");
  CHECK(code(pending.against_holder("token", at(0))) == "nothing_prepared");
  CHECK(code(pending.against_abandon("token")) == "nothing_prepared");
  CHECK_FALSE(pending.lease_runs(at(0)));
}

TEST_CASE("pending: a plan's ring outlives its lease; its holder may prepare again and abandon") {
  Pending pending;
  pending.stage(of_plan(), at(1000));
  for (const int now : {1000, 1099, 1100, 1'000'000}) {
    CHECK(code(pending.against_change("remap", at(now))) == "prepared");
    CHECK(pending.against_change("remap", at(now))->what() ==
          doctest::Contains("remap: plan 17 has prepared generation 2"));
    CHECK(code(pending.against_prepare("other", at(now))) == "prepared");
    CHECK(code(pending.against_prepare("", at(now))) == "prepared");
    CHECK(code(pending.against_prepare("token", at(now))) == "");
    CHECK(code(pending.against_abandon("token")) == "");
    CHECK(code(pending.against_abandon("other")) == "not_holder");
    CHECK(code(pending.against_holder("token", at(now))) == (now < 1100 ? "" : "lease_expired"));
    CHECK(code(pending.against_holder("other", at(now))) == "not_holder");
  }
  pending.end();
  CHECK(code(pending.against_change("remap", at(1000))) == "");
  CHECK(pending.lease_end() == nanoseconds(0));
}

TEST_CASE("pending: a plan's ring that an earlier process left is the plan's still") {
  Pending pending;
  pending.found(of_plan());
  CHECK(code(pending.against_change("set-data", at(0))) == "prepared");
  CHECK(code(pending.against_prepare("other", at(0))) == "prepared");
  CHECK(code(pending.against_holder("token", at(0))) == "nothing_prepared");
  CHECK(code(pending.against_holder("other", at(0))) == "not_holder");
  CHECK(code(pending.against_abandon("other")) == "not_holder");
  CHECK(code(pending.against_abandon("token")) == "");
  REQUIRE(code(pending.against_prepare("token", at(0))) == "");
  pending.stage(of_plan(), at(0));
  CHECK(code(pending.against_holder("token", at(99))) == "");
}

TEST_CASE("pending: by hand, the lease's end or the process's frees the router") {
  Pending pending;
  pending.stage(by_hand(), at(0));
  CHECK(code(pending.against_change("reload", at(99))) == "prepared");
  CHECK(pending.against_change("reload", at(98))->what() ==
        doctest::Contains("holds its lease for another 2 ms"));
  CHECK(code(pending.against_prepare("other", at(99))) == "prepared");
  CHECK(code(pending.against_change("reload", at(100))) == "");
  CHECK(code(pending.against_prepare("other", at(100))) == "");
  CHECK(code(pending.against_abandon("token")) == "");
  pending.found(by_hand());
  CHECK(code(pending.against_change("reload", at(0))) == "");
  CHECK(code(pending.against_prepare("other", at(0))) == "");
  CHECK(code(pending.against_holder("token", at(0))) == "nothing_prepared");
  CHECK(code(pending.against_abandon("token")) == "");
}

TEST_CASE("pending: a renewal counts from when it came, and is the lease's length from then on") {
  Pending pending;
  pending.stage(of_plan(), at(0));
  pending.renew(at(50), milliseconds(200));
  CHECK(pending.lease_end() == at(250));
  CHECK(pending.lease_left(at(100)) == milliseconds(150));
  CHECK(pending.ring()->lease == milliseconds(200));
}

TEST_CASE("pending: one that is prepared again has its lease anew, and a token where it had none") {
  Pending pending;
  pending.stage(of_plan(), at(0));
  PendingRing again = of_plan();
  again.generation = 3;
  pending.stage(again, at(1000));
  CHECK(pending.lease_end() == at(1100));
  CHECK(pending.ring()->generation == 3);
  PendingRing nobody = by_hand();
  nobody.token.clear();
  pending.stage(nobody, at(2000));
  CHECK(pending.ring()->token.size() == 32);
}
