// What the control decides, act by act.
#include "router/control/machine.hpp"

#include <doctest/doctest.h>

using namespace router;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

constexpr nanoseconds at(int ms) { return milliseconds(ms); }

PendingRing of_plan(const std::string& token = "t/1") {
  return {
      2, "d2", "17", token, "tcp://1", "tcp://2", ring::VnodeSet::parse("0-9"), milliseconds(1000)};
}

Change change(Change::Kind kind, std::uint64_t id, const std::string& holder = "",
              const std::string& digest = "") {
  return {id, kind, "this", holder, digest};
}

Machine begun() {
  Machine machine;
  machine.in_force({"d1", 1, 100});
  return machine;
}

/// The one thing of its kind that the machine asks for; others are passed over.
template <typename Wanted>
std::optional<Wanted> asked(Machine& machine) {
  std::optional<Wanted> found;
  for (const Ask& each : machine.take())
    if (const auto* wanted = std::get_if<Wanted>(&each)) {
      CHECK_FALSE(found);
      found.emplace(*wanted);
    }
  return found;
}

/// With that plan's ring prepared at 1 s, under a lease of a second.
Machine prepared(const PendingRing& ring = of_plan()) {
  Machine machine = begun();
  machine.submit(change(Change::Kind::prepare, 1, ring.token), at(1000));
  REQUIRE(asked<ask::Begin>(machine));
  machine.ended(ring, at(1000));
  return machine;
}

std::string code(const std::optional<Refusal>& refusal) { return refusal ? refusal->code : ""; }
std::string refused(Machine& machine) {
  const auto found = asked<ask::Refuse>(machine);
  return found ? found->why.code : "";
}

}  // namespace

TEST_CASE("machine: changes take turns; blocks, unblocks and renewals pass them by") {
  Machine machine = prepared();
  machine.submit(change(Change::Kind::prepare, 2, "t/2"), at(1100));
  CHECK(asked<ask::Begin>(machine)->change.id == 2);
  machine.submit(change(Change::Kind::activate, 3, "t/1"), at(1100));
  machine.submit(change(Change::Kind::abandon, 4, "t/1"), at(1100));
  CHECK(machine.take().empty());
  CHECK(machine.waiting() == 2);
  // A prepare of a large ring works on files: nothing else waits for it.
  CHECK(code(machine.block(ring::VnodeSet::parse("3"), GateMode::hold, "t/1", at(1200))) == "");
  CHECK(machine.gate()->mode(ring::Vnode(3)) == GateMode::hold);
  CHECK(machine.unblock(std::nullopt).size() == 1);
  CHECK(code(machine.renew("t/1", milliseconds(5000), at(1200))) == "");
  CHECK(machine.serving()->until == at(6200));
  machine.ended(at(1300));  // it has failed: what was prepared before is so still
  CHECK(asked<ask::Begin>(machine)->change.id == 3);
  machine.ended(RingFacts{"d2", 2, 100}, at(1300));
  CHECK(refused(machine) == "nothing_prepared");
  CHECK(machine.ring().digest == "d2");
}

TEST_CASE("machine: a refused prepare leaves lease and ring of the one before") {
  Machine machine = prepared();
  machine.submit(change(Change::Kind::prepare, 2, "t/2"), at(1100));
  machine.ended(at(1500));
  static_cast<void>(machine.take());
  REQUIRE(machine.pending().ring() != nullptr);
  CHECK(machine.pending().ring()->token == "t/1");
  CHECK(code(machine.renew("t/1", milliseconds(1000), at(1600))) == "");
  CHECK(code(machine.renew("t/2", milliseconds(1000), at(1600))) == "not_holder");
  machine.submit(change(Change::Kind::abandon, 3, "t/2"), at(1700));  // the later coordinator may
  CHECK(asked<ask::Begin>(machine));
  machine.ended_withdrawn(at(1700));
  CHECK(machine.pending().ring() == nullptr);
  CHECK(asked<ask::ServeFreely>(machine));
  CHECK_FALSE(machine.serving());
}

TEST_CASE(
    "machine: a plan's ring stands against changes; a lease that was by hand only while it runs") {
  Machine machine = prepared();
  for (const auto kind : {Change::Kind::reload, Change::Kind::edit, Change::Kind::rollback}) {
    machine.submit(change(kind, 2), at(9000));
    CHECK(refused(machine) == "prepared");
  }
  PendingRing by_hand = of_plan();
  by_hand.from.clear();
  Machine other = prepared(by_hand);
  other.submit(change(Change::Kind::edit, 2), at(1999));
  CHECK(refused(other) == "prepared");
  other.submit(change(Change::Kind::edit, 3), at(2000));
  CHECK(asked<ask::Begin>(other)->change.id == 3);
}

TEST_CASE("machine: more changes than it keeps are refused, and none of them is lost") {
  Machine machine = begun();
  machine.submit(change(Change::Kind::edit, 1), at(0));
  CHECK(asked<ask::Begin>(machine));
  for (std::uint64_t id = 2; id < 2 + Machine::kChangesMax; ++id)
    machine.submit(change(Change::Kind::edit, id), at(0));
  CHECK(machine.take().empty());
  machine.submit(change(Change::Kind::edit, 99), at(0));
  const auto busy = asked<ask::Refuse>(machine);
  REQUIRE(busy);
  CHECK(busy->change.id == 99);
  CHECK(busy->why.code == "busy");
  for (std::uint64_t id = 2; id < 2 + Machine::kChangesMax; ++id) {
    machine.ended(at(0));
    CHECK(asked<ask::Begin>(machine)->change.id == id);
  }
}

TEST_CASE("machine: a ring of another number of vnodes does not come beside blocked ones") {
  Machine machine = begun();
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("7"), GateMode::refuse, "", at(0)));
  machine.submit(change(Change::Kind::rollback, 1), at(0));
  CHECK(code(machine.commit(50, "d2")) == "refused");
  CHECK(code(machine.commit(100, "d2")) == "");
  machine.ended(at(0));
  machine.unblock(std::nullopt);
  machine.submit(change(Change::Kind::rollback, 2), at(0));
  CHECK(code(machine.commit(50, "d2")) == "");
  // Between its rename on disk and its coming into force, a block would name vnodes of the old one.
  CHECK(code(machine.block(ring::VnodeSet::parse("70"), GateMode::hold, "", at(0))) == "busy");
  machine.ended(RingFacts{"d3", 3, 50}, at(0));
  CHECK(code(machine.block(ring::VnodeSet::parse("7"), GateMode::hold, "", at(0))) == "");
}

TEST_CASE(
    "machine: a lease's end is told once, refuses what was held under it, and asks for the row") {
  Machine machine = prepared();
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("0-4"), GateMode::hold, "t/1", at(1100)));
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("50"), GateMode::hold, "", at(1100)));
  machine.tick(at(1499));
  CHECK(machine.take().empty());
  CHECK(machine.wake() == at(1500));
  machine.tick(at(1500));  // half of it is left
  CHECK(asked<ask::Row>(machine));
  machine.plan_said(of_plan(), PlanStanding::unknown, at(1500), at(1600));
  machine.tick(at(2000));
  const auto told = machine.take();
  REQUIRE(told.size() == 2);
  CHECK(std::get<ask::LeaseExpired>(told[0]).held == 5);
  CHECK(std::holds_alternative<ask::Row>(told[1]));
  CHECK(machine.gate()->held == ring::VnodeSet::parse("50"));
  CHECK(machine.gate()->refused == ring::VnodeSet::parse("0-4"));
  machine.tick(at(2001));
  CHECK(machine.take().empty());
  CHECK(machine.serving()->until == at(2000));
  CHECK(code(machine.renew("t/1", milliseconds(1000), at(2001))) == "lease_expired");
}

TEST_CASE("machine: a plan that is decided comes into force without its coordinator") {
  Machine machine = prepared();
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("0-9"), GateMode::hold, "t/1", at(1100)));
  machine.tick(at(2000));
  static_cast<void>(machine.take());
  machine.plan_said(of_plan(), PlanStanding::decided, at(2000), at(2100));
  const auto begins = asked<ask::Begin>(machine);
  REQUIRE(begins);
  CHECK(begins->change.kind == Change::Kind::decided);
  SUBCASE("its store can't be written: tried again, and never anything else") {
    machine.ended(at(2200));
    CHECK(machine.take().empty());
    machine.tick(*machine.wake());
    CHECK(asked<ask::Row>(machine));
    machine.plan_said(of_plan(), PlanStanding::decided, at(3200), at(3300));
    CHECK(asked<ask::Begin>(machine));
  }
  machine.ended(RingFacts{"d2", 2, 100}, at(3300));
  CHECK(machine.awaits_target());
  machine.submit(change(Change::Kind::edit, 5), at(3300));
  CHECK(refused(machine) == "prepared");
  machine.tick(at(3300));
  CHECK(asked<ask::Target>(machine));
  machine.target_said(of_plan(), false, at(3400));
  machine.tick(*machine.wake());
  CHECK(asked<ask::Target>(machine));
  machine.target_said(of_plan(), true, at(3700));
  CHECK(asked<ask::Opened>(machine)->vnodes.size() == 10);
  CHECK_FALSE(machine.gate()->any());
  machine.submit(change(Change::Kind::edit, 6), at(3800));
  CHECK(asked<ask::Begin>(machine));
}

TEST_CASE(
    "machine: what is held when its ring comes into force is refused after a lease and more") {
  Machine machine = prepared();
  REQUIRE_FALSE(machine.renew("t/1", milliseconds(1000), at(1100)));
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("0-9"), GateMode::hold, "t/1", at(1110)));
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("50"), GateMode::hold, "", at(1110)));
  machine.submit(change(Change::Kind::activate, 2, "t/1"), at(1200));
  machine.ended(RingFacts{"d2", 2, 100}, at(1210));
  const auto held = [&machine] { return machine.gate()->held; };
  SUBCASE("its coordinator is silent") {
    machine.tick(at(4099));
    CHECK(held() == ring::VnodeSet::parse("0-9,50"));
    static_cast<void>(machine.take());
    machine.tick(at(4100));  // the lease's end, a silent router's lease, and the margin
    CHECK(asked<ask::Overdue>(machine)->held == 10);
    CHECK(held() == ring::VnodeSet::parse("50"));
    CHECK(machine.gate()->refused == ring::VnodeSet::parse("0-9"));
  }
  SUBCASE("it unblocks them, and they are blocked by hand later") {
    static_cast<void>(machine.unblock(ring::VnodeSet::parse("0-9")));
    REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("0-9"), GateMode::hold, "", at(1300)));
    machine.tick(at(4100));
    CHECK(held() == ring::VnodeSet::parse("0-9,50"));
  }
  SUBCASE("its next coordinator holds them under a lease of its own") {
    machine.submit(change(Change::Kind::prepare, 3, "t/2"), at(1300));
    PendingRing again = of_plan("t/2");
    again.lease = milliseconds(5000);
    machine.ended(again, at(1300));
    machine.tick(at(4100));
    CHECK(held() == ring::VnodeSet::parse("0-9,50"));
    machine.tick(at(6300));
    CHECK(held() == ring::VnodeSet::parse("50"));
  }
}

TEST_CASE("machine: an answer about another ring, or while the lease runs, changes nothing") {
  Machine machine = prepared();
  machine.tick(at(1500));
  REQUIRE(asked<ask::Row>(machine));
  PendingRing other = of_plan();
  other.digest = "another";
  machine.plan_said(other, PlanStanding::decided, at(1500), at(1600));
  CHECK(asked<ask::Row>(machine));  // asked again, about this one
  machine.plan_said(of_plan(), PlanStanding::decided, at(1600), at(1700));
  CHECK(machine.take().empty());
  CHECK(machine.pending().staged());
}

TEST_CASE("machine: a plan that has fenced nothing is served on; from when it was asked") {
  Machine machine = prepared();
  machine.tick(at(1500));
  machine.plan_said(of_plan(), PlanStanding::open, at(1500), at(1900));
  CHECK(machine.serving()->until == at(2500));
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("0-9"), GateMode::hold, "t/1", at(1950)));
  machine.tick(at(2000));
  static_cast<void>(machine.take());
  machine.plan_said(of_plan(), PlanStanding::open, at(2000), at(2100));
  CHECK(asked<ask::Opened>(machine)->vnodes.size() == 10);
  CHECK(machine.serving()->until == at(3000));
}

TEST_CASE("machine: what an earlier process left is served when its row has said so") {
  Machine machine = begun();
  machine.found(of_plan());
  CHECK(machine.serving()->until == at(0));
  CHECK(asked<ask::Row>(machine));
  SUBCASE("the plan is over") {
    machine.plan_said(of_plan(), PlanStanding::aborted, at(10), at(20));
    CHECK(asked<ask::Begin>(machine)->change.kind == Change::Kind::ended);
    machine.ended_withdrawn(at(30));
    CHECK(machine.pending().ring() == nullptr);
    CHECK_FALSE(machine.serving());
  }
  SUBCASE("nobody knows: said once, asked on") {
    for (int i = 0; i < 3; ++i) {
      machine.plan_said(of_plan(), PlanStanding::none, at(10), at(20 + 2000 * i));
      CHECK(asked<ask::Tell>(machine).has_value() == (i == 0));
      machine.tick(at(1500 + 2000 * i));
      CHECK(asked<ask::Row>(machine));
    }
  }
  SUBCASE("its coordinator is back before the row is followed") {
    machine.submit(change(Change::Kind::prepare, 1, "t/2"), at(10));
    CHECK(asked<ask::Begin>(machine));
    machine.plan_said(of_plan(), PlanStanding::aborted, at(10), at(20));
    machine.ended(of_plan("t/2"), at(30));
    CHECK_FALSE(asked<ask::Begin>(machine));
    CHECK(machine.pending().staged());
  }
}

namespace {

/// A coordinator has activated its ring; vnodes 0 to 9 are blocked.
Machine activated() {
  Machine machine = prepared();
  REQUIRE_FALSE(machine.block(ring::VnodeSet::parse("0-9"), GateMode::hold, "t/1", at(1100)));
  machine.submit(change(Change::Kind::activate, 3, "t/1"), at(1200));
  REQUIRE(asked<ask::Begin>(machine));
  machine.ended(RingFacts{"d2", 2, 100}, at(1300));
  return machine;
}

}  // namespace

TEST_CASE("machine: a person who unblocks vnodes does not make the target take writes") {
  Machine machine = activated();
  CHECK(machine.unblock(std::nullopt).size() == 10);
  CHECK(asked<ask::Target>(machine));  // at once
  machine.submit(change(Change::Kind::edit, 5), at(1400));
  CHECK(machine.take().empty());  // its answer decides
  machine.target_said(of_plan(), false, at(1500));
  CHECK(refused(machine) == "prepared");
  machine.submit(change(Change::Kind::edit, 6), at(1500));
  CHECK(asked<ask::Target>(machine));
  machine.target_said(of_plan(), false, at(1600));
  CHECK(refused(machine) == "prepared");
  machine.tick(*machine.wake());
  CHECK(asked<ask::Target>(machine));
  machine.submit(change(Change::Kind::edit, 7), at(1900));
  machine.target_said(of_plan(), true, at(2000));
  const auto told = machine.take();
  REQUIRE(told.size() == 2);
  CHECK(std::holds_alternative<ask::Settled>(told[0]));
  CHECK(std::get<ask::Begin>(told[1]).change.id == 7);
}

TEST_CASE("machine: an answer that was on its way when vnodes were opened is asked for again") {
  Machine machine = activated();
  machine.tick(at(2300));
  CHECK(asked<ask::Target>(machine));
  CHECK(machine.unblock(std::nullopt).size() == 10);
  CHECK(machine.take().empty());
  machine.target_said(of_plan(), false, at(2400));
  CHECK(asked<ask::Target>(machine));
}

TEST_CASE("machine: a process that restarts still waits for the target") {
  Machine machine;
  machine.in_force({"d2", 2, 100});
  machine.found_in_force(of_plan());
  machine.tick(*machine.wake());
  CHECK(asked<ask::Target>(machine));
  machine.submit(change(Change::Kind::edit, 5), at(1000));
  CHECK(machine.take().empty());
  machine.target_said(of_plan(), false, at(1050));
  CHECK(refused(machine) == "prepared");
  machine.tick(*machine.wake());
  CHECK(asked<ask::Target>(machine));
  SUBCASE("until it says that it takes writes") {
    machine.target_said(of_plan(), true, at(1100));
    CHECK(asked<ask::Settled>(machine));
  }
  SUBCASE("until a person gives it up, by the plan's token alone") {
    machine.submit(change(Change::Kind::abandon, 6, "t/1"), at(1100));
    CHECK(refused(machine) == "nothing_prepared");
    machine.submit(change(Change::Kind::abandon, 7, "t"), at(1100));
    const auto told = machine.take();
    REQUIRE(told.size() == 2);
    CHECK(std::holds_alternative<ask::Settled>(told[0]));
    CHECK(std::get<ask::Unchanged>(told[1]).change.id == 7);
  }
  CHECK_FALSE(machine.awaits_target());
}

TEST_CASE("machine: while a target is awaited, the same ring may be loaded again, and no other") {
  Machine machine = activated();
  machine.submit(change(Change::Kind::reload, 5), at(1400));
  REQUIRE(asked<ask::Begin>(machine));
  CHECK(code(machine.commit(100, "d3")) == "prepared");
  CHECK(code(machine.commit(100, "d2")) == "");
}
