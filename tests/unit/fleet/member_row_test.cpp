// A member in a cutover of a plan of resharding, whose row decides.
#include <doctest/doctest.h>

#include "tests/unit/fleet/member_lab.hpp"

using namespace fleet_lab;

namespace {

constexpr milliseconds kLease{1'200};
const PlanName kPlan{7, "p", "source", "target"};

Change cutover(Stage stage) {
  Change change = publish(stage);
  change.kind = Kind::reshard;
  change.plan = kPlan;
  change.lease = kLease;
  return change;
}

Record record(Record::Phase phase) {
  return Record{"t", Kind::reshard, phase, {1, "A"}, {2, "B"}, true, kLease, "", true, kPlan};
}

/// It has agreed to all that the commit needs, at this instant.
Lab agreed() {
  Lab lab = joined();
  lab.change(cutover(Stage::prepare), {1, "A"});
  lab.change(cutover(Stage::block), {1, "A"});
  lab.member.drained(0, lab.now);
  CHECK(lab.settle() == "keep-record answer ");
  return lab;
}

/// It asks, and is answered at once.
void row_says(Lab& lab, RowSays says) {
  const auto question = lab.member.next_question(lab.now);
  REQUIRE(question);
  CHECK(question->plan == kPlan);
  CHECK(question->digest == "B");
  lab.member.row_said(says, lab.now);
}

const Door kShut{Writes::refuse, false, {}};

}  // namespace

TEST_CASE("member: a cutover that goes well asks no database, and is served as a publication is") {
  Lab lab = agreed();
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, lab.now + kLease});
  CHECK_FALSE(lab.member.next_question(lab.now + milliseconds(599)));
  CHECK(lab.change(cutover(Stage::activate), {2, "B"}) ==
        "look keep-record activate keep-membership answer write-entry ");
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, {}});
  CHECK_FALSE(lab.member.next_question(lab.now + milliseconds(999)));
  CHECK(lab.change(std::nullopt, {2, "B"}) == "look drop-record ");
  CHECK(lab.member.door(lab.now) == Door{});
  CHECK_FALSE(lab.member.next_question(lab.now + milliseconds(9'999)));
}

TEST_CASE("member: the state renews no lease of a cutover; the row does, from when it was asked") {
  Lab lab = agreed();
  const nanoseconds until = lab.now + kLease;
  lab.pass(650);
  lab.member.changed(lab.now);
  CHECK(lab.settle() == "look ");
  CHECK(lab.member.door(lab.now).until == until);

  const auto question = lab.member.next_question(lab.now);
  REQUIRE(question);
  CHECK_FALSE(lab.member.next_question(lab.now));  // one at a time
  const nanoseconds asked = lab.now;
  lab.pass(400);
  lab.member.row_said(RowSays::open, lab.now);
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, asked + kLease});
  lab.now = until;  // the block is over: by the row, writes go where they always went
  CHECK(lab.member.door(lab.now) == Door{Writes::pass, true, asked + kLease});
  CHECK(lab.member.door(asked + kLease) == kShut);
  lab.pass(50);
  row_says(lab, RowSays::fenced);
  CHECK(lab.member.door(lab.now) == Door{Writes::refuse, true, lab.now + kLease});
  lab.pass(199);
  CHECK_FALSE(lab.member.next_question(lab.now));
  CHECK(*lab.member.wake(lab.now) <= lab.now + milliseconds(1));
  lab.pass(401);
  row_says(lab, RowSays::nothing);
  CHECK(lab.member.door(lab.now).reads);  // as far as the answer before goes
  lab.pass(600);
  CHECK(lab.member.door(lab.now) == kShut);
}

TEST_CASE(
    "member: a row that is decided brings its ring, and a state that has not followed takes "
    "nothing back") {
  Lab lab = agreed();
  lab.pass(1'200);
  row_says(lab, RowSays::decided);
  CHECK(lab.settle().starts_with("keep-record activate keep-membership "));
  CHECK(lab.member.ring() == RingName{2, "B"});
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, {}});
  lab.member.changed(lab.now);
  CHECK(lab.settle() == "look ");
  CHECK(lab.member.ring() == RingName{2, "B"});

  lab.pass(1'000);  // no word of the state's: the target's row opens the vnodes
  const auto question = lab.member.next_question(lab.now);
  REQUIRE(question);
  CHECK(question->at_target);
  lab.member.row_said(RowSays::nothing, lab.now);
  lab.pass(712);  // the coordinator may wait for others' leases so long, and then opens the target
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, {}});
  REQUIRE(lab.member.wake(lab.now));
  lab.pass(1'711);
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, {}});
  CHECK(lab.member.wake(lab.now) <= lab.now + milliseconds(1));
  lab.pass(1);  // nobody opens it any more
  CHECK(lab.member.door(lab.now) == Door{Writes::refuse, true, {}});
  CHECK(lab.member.next_question(lab.now)->at_target);
  lab.member.row_said(RowSays::open, lab.now);
  CHECK(lab.member.door(lab.now) == Door{});
  CHECK(lab.change(cutover(Stage::activate), {2, "B"}) == "look answer ");
  CHECK(lab.change(std::nullopt, {2, "B"}) == "look drop-record ");
}

TEST_CASE(
    "member: a row that is aborted opens the vnodes; the record stays until the state says so") {
  Lab lab = agreed();
  lab.pass(1'200);
  row_says(lab, RowSays::aborted);
  CHECK(lab.member.door(lab.now + milliseconds(1'000'000)) == Door{});
  CHECK(lab.member.record());
  CHECK(lab.change(std::nullopt, {1, "A"}) == "look drop-record ");
}

TEST_CASE("member: a process that finds the record of a cutover asks first, without the service") {
  OnDisk disk = a_member();
  disk.record = record(Record::Phase::leased);
  Member member(options(), disk, nanoseconds{0});
  nanoseconds now{0};
  CHECK(member.door(now) == kShut);
  REQUIRE(member.next_question(now));
  member.row_said(RowSays::open, now);
  CHECK(member.door(now) == Door{Writes::pass, true, nanoseconds(kLease)});
  now += milliseconds(600);
  REQUIRE(member.next_question(now));
  member.row_said(RowSays::decided, now);
  const auto kept = member.next_work(now);
  REQUIRE(kept);
  REQUIRE(std::get<work::KeepRecord>(*kept).record == record(Record::Phase::activated));
  member.did(now);
  REQUIRE(std::get<work::Activate>(*member.next_work(now)).ring == RingName{2, "B"});
  member.did(now);
  CHECK_FALSE(member.next_work(now));
  CHECK_FALSE(member.listens(now));
  now = milliseconds(3'000);
  CHECK(member.listens(now));
  CHECK(member.next_question(now)->at_target);

  disk.record = record(Record::Phase::prepared);  // nothing can be committed without it
  Member prepared(options(), disk, nanoseconds{0});
  CHECK(prepared.door(now) == Door{});
  CHECK_FALSE(prepared.next_question(now));

  disk.record = record(Record::Phase::activated);  // and the ring came into force
  disk.ring = {2, "B"};
  Member activated(options(), disk, nanoseconds{0});
  CHECK(activated.door(nanoseconds{0}) == Door{Writes::wait, true, {}});
  CHECK(activated.listens(now));
}

TEST_CASE("member: after a row was faster than the state, a new process serves by the row's ring") {
  OnDisk disk = a_member();
  disk.record = record(Record::Phase::activated);
  disk.ring = {2, "B"};
  Lab lab(disk);
  lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  lab.service.state.change = cutover(Stage::block);
  lab.settle();
  CHECK(lab.member.ring() == RingName{2, "B"});
  CHECK(lab.member.listens(lab.now));
  CHECK_FALSE(lab.member.in_doubt());
}

TEST_CASE("member: an answer about one change says nothing of the next") {
  Lab lab = agreed();
  lab.pass(1'200);
  REQUIRE(lab.member.next_question(lab.now));
  lab.change(std::nullopt, {1, "A"});
  Change next = cutover(Stage::prepare);
  next.token = "u";
  lab.change(next, {1, "A"});
  lab.member.row_said(RowSays::decided, lab.now);
  CHECK(lab.settle().empty());
  CHECK(lab.member.record()->phase == Record::Phase::prepared);
}

TEST_CASE("member: a cutover that stands beyond prepare is closed by nobody but its coordinator") {
  Lab lab = joined();
  lab.change(cutover(Stage::prepare), {1, "A"});
  CHECK(lab.member.close_is_due(lab.now + milliseconds(63'000)));
  lab.change(cutover(Stage::block), {1, "A"});
  CHECK_FALSE(lab.member.close_is_due(lab.now + milliseconds(1'000'000)));
}
