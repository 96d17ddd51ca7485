// A member from its first start to its last.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fleet/member_lab.hpp"

using namespace fleet_lab;

TEST_CASE(
    "member: without membership it takes the ring, shows itself and joins before it listens") {
  Lab lab;
  CHECK_FALSE(lab.member.listens(milliseconds(100'000)));
  CHECK(lab.settle() == "touch look take show look join keep-membership ");
  CHECK(lab.member.listens(lab.now));
  CHECK(lab.member.ring() == RingName{1, "A"});
  CHECK(lab.service.entry->incarnation == "i1");
}

TEST_CASE("member: while a change is open nobody joins") {
  Lab lab;
  lab.service.state.change = publish(Stage::prepare);
  CHECK(lab.settle() == "touch look ");
  CHECK(lab.change(std::nullopt, {2, "B"}) == "look take show look join keep-membership ");
  CHECK(lab.member.ring() == RingName{2, "B"});
}

TEST_CASE(
    "member: without the service it serves by its own ring after a while, or waits for ever") {
  for (const bool waits : {false, true}) {
    MemberOptions chosen = options();
    chosen.start_waits = waits;
    Member member(chosen, a_member(), nanoseconds{0});
    CHECK_FALSE(member.listens(milliseconds(2'999)));
    CHECK(member.listens(milliseconds(3'000)) == !waits);
  }
  OnDisk edited = a_member();
  edited.ring = {7, "X"};  // not the ring that it was a member with
  CHECK_FALSE(Member(options(), edited, nanoseconds{0}).listens(milliseconds(100'000)));
}

TEST_CASE("member: a start that has seen a newer ring does not serve by an older one") {
  Lab lab(a_member());
  lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  lab.service.state.ring = {3, "C"};
  while (true) {
    const auto request = lab.member.next_request(lab.now);
    if (!request) break;
    const Outcome outcome = lab.answer(*request);
    if (std::holds_alternative<ask::Look>(*request))
      lab.member.seen(lab.service, lab.now);
    else
      lab.member.told(outcome, 0, lab.now);
    if (lab.member.view()) break;
  }
  CHECK_FALSE(lab.member.listens(milliseconds(100'000)));
  lab.settle();
  CHECK(lab.member.ring() == RingName{3, "C"});
  CHECK(lab.member.listens(lab.now));
}

TEST_CASE(
    "member: one that was removed serves no more, takes its membership off its disk, joins anew") {
  Lab lab = joined();
  lab.service.entry.reset();
  lab.service.lives.clear();
  lab.member.session_began(lab.now);
  CHECK(lab.settle() == "touch-entry touch look drop-membership show look join keep-membership ");
  CHECK(lab.member.listens(lab.now));
  // Another process has its name.
  lab.service.entry = Entry{"other", {1, "A"}, "", 0, ""};
  ++lab.service.entry_version;
  lab.service.lives = "other";
  lab.member.changed(lab.now);
  CHECK(lab.settle() == "look drop-membership ");
  CHECK_FALSE(lab.member.listens(lab.now));
  CHECK_FALSE(lab.member.has_twin(lab.now));
  lab.pass(20'001);
  CHECK(lab.settle() == "look ");
  CHECK(lab.member.has_twin(lab.now));
  // It ends, and its entry stays: this one's own old entry, now.
  lab.service.lives.clear();
  lab.pass(2'000);
  CHECK(lab.settle() == "look show look join keep-membership ");
  CHECK(lab.member.listens(lab.now));
}

TEST_CASE("member: leaving, membership leaves the disk before the entry leaves the roster") {
  Lab lab = joined();
  lab.change(publish(Stage::prepare), {1, "A"});
  lab.member.leave(lab.now);
  lab.member.leave(lab.now);  // a second time is the same
  CHECK(lab.settle() == "drop-membership look ");
  CHECK_FALSE(lab.member.listens(lab.now));
  CHECK_FALSE(lab.member.has_left());  // its answers are waited for
  CHECK(lab.change(publish(Stage::block), {1, "A"}) == "look ");
  lab.member.drained(0, lab.now);
  CHECK(lab.settle() == "keep-record answer ");
  CHECK(lab.change(std::nullopt, {1, "A"}) == "look drop-record leave ");
  CHECK(lab.member.has_left());
}

TEST_CASE(
    "member: it does not end while a join of its may be done, nor with membership on its disk") {
  Lab lab;
  for (std::optional<Request> request; !request || !std::holds_alternative<ask::Join>(*request);) {
    while (const auto work = lab.member.next_work(lab.now)) lab.work(*work);
    request = lab.member.next_request(lab.now);
    REQUIRE(request);
    const Outcome outcome = lab.answer(*request);  // the join is done, and its answer is lost
    if (std::holds_alternative<ask::Look>(*request))
      lab.member.seen(lab.service, lab.now);
    else
      lab.member.told(std::holds_alternative<ask::Join>(*request) ? Outcome::unknown : outcome, 0,
                      lab.now);
  }
  lab.member.leave(lab.now);
  CHECK_FALSE(lab.member.has_left());
  lab.pass(1'000);
  lab.settle();
  CHECK(lab.member.has_left());
  CHECK_FALSE(lab.service.entry);

  Lab removed = joined();
  removed.service.entry.reset();
  removed.member.leave(removed.now);
  while (const auto request = removed.member.next_request(removed.now)) {
    const Outcome outcome = removed.answer(*request);
    if (std::holds_alternative<ask::Look>(*request))
      removed.member.seen(removed.service, removed.now);
    else
      removed.member.told(outcome, 0, removed.now);
    CHECK_FALSE(removed.member.has_left());
  }
  CHECK(std::holds_alternative<work::DropMembership>(*removed.member.next_work(removed.now)));
  removed.member.did(removed.now);
  CHECK(removed.member.has_left());
}

TEST_CASE(
    "member: a service that was restored to its past is told, not followed, and not asked on and "
    "on") {
  Lab lab = joined();
  lab.change(std::nullopt, {2, "B"});
  lab.service.state.seq = 1;
  lab.service.state.ring = {1, "A"};
  lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  for (int second = 0; second < 70; second += 2) {
    lab.pass(2'000);
    CHECK(lab.settle() == "look ");
  }
  CHECK(lab.member.service_went_back(lab.now));
  CHECK(lab.member.ring() == RingName{2, "B"});
  CHECK(lab.member.listens(lab.now));
  lab.service.state.seq = 1'000;  // an operator has written it anew
  lab.service.state.ring = {2, "B"};
  lab.service.entry = Entry{"i1", {2, "B"}, "", 0, ""};
  lab.pass(2'000);
  lab.settle();
  CHECK_FALSE(lab.member.service_went_back(lab.now));
}

TEST_CASE("member: what the service refuses is not asked for again at once") {
  for (const Outcome outcome : {Outcome::denied, Outcome::refused, Outcome::unknown}) {
    Lab lab(a_member());
    lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
    int asked = 0;
    for (int ms = 0; ms < 1'000; ++ms) {
      lab.now = milliseconds(ms);
      while (const auto request = lab.member.next_request(lab.now)) {
        ++asked;
        lab.member.told(outcome, 0, lab.now);
        REQUIRE(asked < 100);
      }
    }
    CHECK(asked == 10);
  }
}

TEST_CASE("member: what is of a later version keeps a start from serving, and nobody who serves") {
  Member member(options(), a_member(), nanoseconds{0});
  member.saw_newer();
  CHECK_FALSE(member.listens(milliseconds(100'000)));
  Lab lab(a_member());
  lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  lab.settle();
  REQUIRE(lab.member.listens(lab.now));
  lab.member.saw_newer();
  CHECK(lab.member.listens(lab.now));
  Lab again(a_member());
  again.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  again.member.saw_newer();
  again.settle();  // what it sees next is one that it knows
  CHECK(again.member.listens(again.now));
}

TEST_CASE("member: the place of a router that knows nothing of fleets is not taken") {
  Lab lab;
  lab.service.entry = Entry{};
  lab.service.entry->foreign = Foreign{"http://h/", false, ""};
  CHECK(lab.settle() == "touch look take ");
  lab.pass(30'000);
  lab.settle();
  CHECK(lab.member.has_twin(lab.now));
  CHECK_FALSE(lab.member.listens(lab.now));
  lab.service.entry.reset();  // somebody has removed it
  lab.member.changed(lab.now);
  CHECK(lab.settle() == "look show look join keep-membership ");
}

TEST_CASE("member: an entry that an operator has written for its process is on its disk, too") {
  Lab lab(a_member());
  lab.service.entry = Entry{"i1", {1, "A"}, "", 0, ""};
  CHECK(lab.settle().find("keep-membership ") != std::string::npos);
}
