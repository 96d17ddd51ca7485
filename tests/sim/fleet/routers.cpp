// Simulated routers: a disk, a process that may end at any instant, a clock of its own, and the
// product's member in it.
#include <algorithm>

#include "fleet/protocol/text.hpp"
#include "tests/sim/fleet/world.hpp"

namespace fleet_sim {
namespace {

using namespace fleet;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// A write of a process that has ended is done by its shard no later than that.
constexpr double kLateWriteAtMost = 1'500;

MemberOptions options_of(int index, const Router& router, bool waits, bool settles) {
  MemberOptions options;
  options.id = "m" + std::to_string(index);
  options.incarnation = router.incarnation;
  options.session = milliseconds{1'500};
  options.look_every = milliseconds{300};
  options.start_wait = milliseconds{300};
  options.start_waits = waits;
  if (!router.clean_end && settles) options.grace = milliseconds{1'700};
  return options;
}

std::string name_of(const Work& work) {
  return std::visit(
      Overloaded{
          [](const work::KeepMembership&) { return std::string("keep membership"); },
          [](const work::DropMembership&) { return std::string("drop membership"); },
          [](const work::KeepRecord& kept) {
            return "keep record " + std::string(to_string(kept.record.phase));
          },
          [](const work::DropRecord&) { return std::string("drop record"); },
          [](const work::KeepBlocks&) { return std::string("keep blocks"); },
          [](const work::Stage&) { return std::string("stage"); },
          [](const work::Activate& activated) {
            return "activate " + std::to_string(activated.ring.generation);
          },
          [](const work::Take& taken) { return "take " + std::to_string(taken.ring.generation); }},
      work);
}

}  // namespace

nanoseconds World::clock(const Router& router) const {
  return nanoseconds(
      static_cast<std::int64_t>((now_ + router.clock_offset) * router.clock_rate * 1e6));
}

int World::under_way(int router) const {
  return static_cast<int>(std::count_if(writes_.begin(), writes_.end(), [&](const Writing& write) {
    return write.router == router && write.process == routers_[router].process;
  }));
}

void World::start(int index) {
  Router& router = routers_[index];
  ++router.process;
  router.incarnation = "i" + std::to_string(index) + "." + std::to_string(router.process);
  router.started_at = now_;
  if (!calm_ && draws_.chance(10)) router.link.cut_until = now_ + random() * 1'500;
  router.leaves = router.serves_on = router.unblocked = false;
  router.clock_rate = 0.996 + random() * 0.008;
  router.clock_offset = random() * 1000;
  router.highest_seq = router.disk.membership ? router.disk.membership->seq : 0;
  router.member =
      std::make_unique<Member>(options_of(index, router, router.must_wait || draws_.chance(20),
                                          hold(Rule::crashed_writes_settle)),
                               router.disk, clock(router));
  say("router " + std::to_string(index) + " starts as " + router.incarnation);
}

void World::end(int index, bool clean) {
  Router& router = routers_[index];
  if (!router.member) return;
  say("router " + std::to_string(index) + (clean ? " ends" : " dies"));
  if (router.work && draws_.chance(50)) put_by_rules(router, router.work->first);
  router.work.reset();
  if (router.flight && !router.flight->applied && !clean) {
    const bool matters = !std::holds_alternative<ask::Touch>(router.flight->asked) &&
                         !std::holds_alternative<ask::Look>(router.flight->asked);
    if (matters) left_member_flights_.emplace_back(index, *router.flight);
  }
  router.flight.reset();
  if (router.closer.flight && !router.closer.flight->applied)
    left_flights_.push_back(*router.closer.flight);
  router.closer = Driver{};
  if (router.link.session.number != 0)
    ending_sessions_.emplace_back(now_ + 400 + random() * 400, router.link.session.number);
  router.link = Link{};
  router.ended_at = now_;
  router.member.reset();
  for (Writing& write : writes_)
    if (write.router == index && write.process == router.process && draws_.chance(40))
      write.applied_at = now_ + random() * kLateWriteAtMost;
  router.clean_end = clean;
  router.undisturbed = false;
  router.up_at = now_ + random() * (!calm_ && draws_.chance(20) ? 6000 : 1500);
}

/// A session is lost when nothing was heard of it for too long while the service was there.
void World::keep_link(int index) {
  Router& router = routers_[index];
  Link& link = router.link;
  const bool there = reaches(link);
  if (!there && link.connected) {
    link.connected = false;
    link.lost_at = now_;
    router.member->connection(false, clock(router));
    if (router.closer.coordinator) router.closer.coordinator->connection(false, clock(router));
  }
  if (!there || link.connected) return;
  const double silent = now_ - std::max(link.lost_at, away_until_);
  if (link.session.number != 0 && silent > 400) lose_session(link);
  if (router.flight && link.session.number == 0) {
    router.flight.reset();
    router.member->told(coordination::Outcome::unknown, 0, clock(router));
  }
  if (router.closer.flight && link.session.number == 0) {
    router.closer.flight.reset();
    router.closer.coordinator->told(coordination::Outcome::unknown, clock(router));
  }
  link.connected = true;
  if (link.session.number != 0) {
    router.member->connection(true, clock(router));
    if (router.closer.coordinator) router.closer.coordinator->connection(true, clock(router));
    return;
  }
  link.session = {++sessions_, 0, draws_.chance(25) ? draws_.any(40) : 0};
  link.wrote = false;
  router.member->session_began(clock(router));
  if (router.closer.coordinator) router.closer.coordinator->session_began(clock(router));
}

void World::put(OnDisk& disk, const Work& work) {
  std::visit(
      Overloaded{[&](const work::KeepMembership& kept) { disk.membership = kept.membership; },
                 [&](const work::DropMembership&) { disk.membership.reset(); },
                 [&](const work::KeepRecord& kept) { disk.record = kept.record; },
                 [&](const work::DropRecord&) { disk.record.reset(); },
                 [&](const work::KeepBlocks& kept) { disk.blocks = kept.blocks; },
                 [](const work::Stage&) {},
                 [&](const work::Activate& activated) { disk.ring = activated.ring; },
                 [&](const work::Take& taken) { disk.ring = taken.ring; }},
      work);
}

void World::put_by_rules(Router& router, const Work& work) const {
  if (traces_) say(router.incarnation + " does " + name_of(work));
  const auto* record = std::get_if<work::KeepRecord>(&work);
  if (record != nullptr && !hold(Rule::record_on_disk)) return;
  if (record != nullptr && record->record.phase == Record::Phase::activated &&
      !hold(Rule::record_until_closed)) {
    router.disk.record.reset();
    return;
  }
  if (std::holds_alternative<work::KeepBlocks>(work) && !hold(Rule::blocks_on_disk)) return;
  if (std::holds_alternative<work::DropMembership>(work) && router.leaves &&
      !hold(Rule::file_before_entry))
    return;
  put(router.disk, work);
}

void World::begin_work(int index) {
  Router& router = routers_[index];
  if (router.work) return;
  if (auto work = router.member->next_work(clock(router)))
    router.work.emplace(*std::move(work), now_ + random() * (draws_.chance(5) ? 400 : 30));
}

void World::finish_work(int index) {
  Router& router = routers_[index];
  if (!router.work || now_ < router.work->second) return;
  const Work work = std::move(router.work->first);
  router.work.reset();
  const bool fetches =
      std::holds_alternative<work::Stage>(work) || std::holds_alternative<work::Take>(work);
  if ((fetches || draws_.chance(20)) && !calm_ && draws_.chance(3)) {
    router.member->failed("no image", draws_.chance(30), clock(router));
    return;
  }
  put_by_rules(router, work);
  nanoseconds said = clock(router);
  const auto* record = std::get_if<work::KeepRecord>(&work);
  if (record != nullptr && record->record.phase == Record::Phase::leased &&
      !hold(Rule::lease_before_answer))
    said += 3 * kLease;
  router.member->did(said);
}

void World::close_left_change(int index) {
  Router& router = routers_[index];
  if (router.closer.coordinator) {
    drive(router.closer, router.link, clock(router));
    if (const auto& ending = router.closer.coordinator->ending()) {
      if (ending->kind == Ending::Kind::committed || ending->kind == Ending::Kind::abandoned)
        ++done_.closed;
      if (router.closer.flight) left_flights_.push_back(*router.closer.flight);
      router.closer = Driver{};
    }
    return;
  }
  if (!router.member->close_is_due(clock(router)) || !router.link.connected) {
    router.close_at = now_ + index * 200;
    return;
  }
  if (now_ < router.close_at) return;
  CoordinatorOptions options;
  options.token = "t" + std::to_string(++tokens_);
  options.who = "m" + std::to_string(index);
  options.lease = kLease;
  say("router " + std::to_string(index) + " closes the change as " + options.token);
  const State& state = router.member->view()->state;
  router.closer.coordinator = std::make_unique<Coordinator>(
      options, intent::Close{state.change->token, state.seq}, clock(router));
  router.closer.coordinator->session_began(clock(router));
}

void World::send_request(int index) {
  Router& router = routers_[index];
  if (router.flight) return;
  auto request = router.member->next_request(clock(router));
  if (!request) return;
  MemberFlight flight;
  flight.asked = *std::move(request);
  flight.session = router.link.session.number;
  flight.applied_at = now_ + random() * 15;
  flight.answered_at = flight.applied_at + random() * 15;
  flight.lost = !calm_ && draws_.chance(3);
  router.flight = std::move(flight);
}

/// An owner that sleeps until then, or until an event, misses nothing.
void World::check_wake(int index) {
  Router& router = routers_[index];
  if (!router.undisturbed || (router.wakes && clock(router) >= *router.wakes)) return;
  begin_work(index);
  const bool had_flight = router.flight.has_value();
  send_request(index);
  if (!had_flight && router.flight)
    wrong("a request is due before the member said that it would be");
  router.undisturbed = false;
}

void World::step_router(int index) {
  Router& router = routers_[index];
  if (!router.member) {
    if (now_ >= router.up_at) start(index);
    return;
  }
  if (now_ < router.paused_until) return;
  Member& member = *router.member;
  check_wake(index);
  keep_link(index);
  if (router.flight && router.flight->applied && now_ >= router.flight->answered_at) {
    MemberFlight flight = *std::move(router.flight);
    router.flight.reset();
    const bool answered =
        router.link.connected && !flight.lost && flight.outcome != coordination::Outcome::unknown;
    if (!answered)
      member.told(coordination::Outcome::unknown, 0, clock(router));
    else if (auto* seen = std::get_if<Seen>(&flight.found))
      member.seen(std::move(*seen), clock(router));
    else
      member.told(flight.outcome, flight.failed, clock(router));
  }
  finish_work(index);
  if (!member.holding()) router.unblocked = false;
  if (member.holding() && (under_way(index) == 0 || !hold(Rule::drained_before_agreeing)))
    member.drained(0, clock(router));
  if (router.leaves && (under_way(index) == 0 || router.serves_on)) member.leave(clock(router));
  if (draws_.chance(10)) member.changed(clock(router));
  if (serves(router)) router.must_wait = false;
  begin_work(index);
  send_request(index);
  close_left_change(index);
  router.undisturbed = true;
  router.wakes = member.wake(clock(router));
  if (!member.has_left()) {
    router.left_at = now_;
  } else if (!router.serves_on || now_ > router.left_at + 6'000) {
    const bool dropped = hold(Rule::file_before_entry) || draws_.chance(50);
    if (dropped) router.disk.membership.reset();
    end(index, dropped);
  }
}

/// Requests of clients.
bool World::serves(Router& router) const {
  if (!router.member || now_ < router.paused_until) return false;
  if (router.serves_on) return true;
  if (router.leaves) return false;
  if (!hold(Rule::start_needs_membership) && now_ > router.started_at + 300) return true;
  return router.member->listens(clock(router));
}

Door World::door(const Router& router) const {
  Door door = router.member->door(clock(router));
  if (!hold(Rule::older_disks_noticed) && router.member->in_doubt()) door = Door{};
  const auto& record = router.member->record();
  if (!hold(Rule::writes_wait_when_activated) && record &&
      record->phase == Record::Phase::activated && router.member->ring() == record->next)
    door.writes = Door::Writes::pass;
  if (!hold(Rule::lease_refuses_reads) && !router.member->in_doubt()) door.reads = true;
  if (router.unblocked) door.writes = Door::Writes::pass;
  const bool read_only = router.member->ring().digest.size() > 1;
  if (read_only || !router.member->blocks().empty()) door.writes = Door::Writes::refuse;
  return door;
}

}  // namespace fleet_sim
