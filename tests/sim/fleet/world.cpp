// Time, clients, faults, and what must be true.
#include "tests/sim/fleet/world.hpp"

#include <algorithm>
#include <cstdio>

namespace fleet_sim {
namespace {

using namespace fleet;

constexpr int kSteps = 5'000;
constexpr double kWriteAtMost = 60, kSlowWriteAtMost = 1'200;

}  // namespace

World::World(std::uint32_t seed, const Rules& rules) : rules_(rules), draws_(seed) {
  State first;
  first.seq = 1;
  first.ring = {1, "A"};
  first.highest = 1;
  ensemble_.state.set(++ensemble_.transaction, {first, 1});
  for (int i = 0; i < kMembers; ++i) {
    Router& router = routers_[i];
    router.disk.ring = {1, "A"};
    router.up_at = i == kMembers - 1 ? 3000 + random() * 8000 : random() * 50;
  }
  for (Person& person : people_) person.next = 500 + random() * 1500;
}

World::~World() = default;

void World::wrong(const std::string& what) {
  if (!wrong_) wrong_ = std::to_string(now_) + ": " + what;
}

void World::stuck(const std::string& what) {
  if (!wrong_) stuck_ = true;
  wrong(what);
}

void World::say(const std::string& what) const {
  if (traces_) std::printf("%9.1f %s\n", now_, what.c_str());
}

void World::client() {
  const int index = draws_.any(kMembers);
  Router& router = routers_[index];
  if (!serves(router)) return;
  const Door door = this->door(router);
  const bool late = door.until.count() > 0 && clock(router) >= door.until;
  const int shard = shard_of(router.member->ring());
  if (draws_.chance(50)) {
    if (!door.reads || (late && hold(Rule::lease_refuses_reads))) return;
    ++done_.reads;
    if (value_[shard] < known_)
      wrong("router " + std::to_string(index) + " reads " + std::to_string(value_[shard]) +
            " at shard " + std::to_string(shard) + ", and " + std::to_string(known_) +
            " was seen before");
    known_ = value_[shard];
    return;
  }
  if (door.writes != Door::Writes::pass || late) return;
  if (!read_only_by_.empty())
    wrong("router " + std::to_string(index) + " takes a write to what is read-only");
  if (!blocked_by_.empty())
    wrong("router " + std::to_string(index) + " takes a write to what is blocked");
  const double lasts = draws_.chance(5) ? kSlowWriteAtMost : kWriteAtMost;
  writes_.push_back({index, router.process, shard, now_ + random() * lasts});
}

/// A write is acknowledged where its router lives.
void World::apply_writes() {
  for (const Writing& write : writes_) {
    if (now_ < write.applied_at) continue;
    value_[write.shard] = ++last_value_;
    const Router& router = routers_[write.router];
    if (router.member && router.process == write.process) {
      ++done_.writes;
      known_ = last_value_;
    }
  }
  std::erase_if(writes_, [&](const Writing& write) { return now_ >= write.applied_at; });
}

void World::faults() {
  if (calm_ || !draws_.chance(30)) return;
  const int index = draws_.any(kMembers);
  Router& router = routers_[index];
  Person& person = people_[draws_.any(kPeople)];
  const int drawn = draws_.any(10'000);
  const auto between = [&](int from, int to) { return drawn >= from && drawn < to; };
  const bool no_change = !ensemble_.state.head().value.change;
  if (between(0, 40)) {
    router.link.cut_until = now_ + random() * 2500;
  } else if (between(40, 70)) {
    end(index, false);
  } else if (between(70, 90)) {
    router.paused_until = now_ + random() * 1.6 * kLease.count();
  } else if (between(90, 98)) {
    away_until_ = now_ + random() * 1500;
  } else if (between(98, 118)) {
    person.paused_until = now_ + random() * 4 * kLease.count();
  } else if (between(118, 138) && person.driver.coordinator) {
    if (person.driver.flight && !person.driver.flight->applied)
      left_flights_.push_back(*person.driver.flight);
    say(person.token + ": its coordinator dies");
    person.driver = Driver{};
    ending_sessions_.emplace_back(now_ + 600, person.link.session.number);
    person.next = now_ + random() * 1000;
  } else if (between(138, 150)) {
    person.link.cut_until = now_ + random() * 2000;
  } else if (between(150, 160) && router.member && !router.leaves) {
    say("router " + std::to_string(index) + " leaves");
    router.serves_on = !hold(Rule::leave_last) && serves(router);
    router.leaves = true;
  } else if (between(280, 2000)) {
    // And what it has sent before its end has been done.
    const bool dead = !router.member && ensemble_.live[index].head().incarnation.empty() &&
                      now_ > router.ended_at + 1'700;
    if (!no_change || now_ < away_until_ || !(dead || !hold(Rule::remove_only_dead))) return;
    if (!ensemble_.roster[index].head()) return;
    say("router " + std::to_string(index) + " is removed");
    ++done_.removed;
    ensemble_.roster[index].set(++ensemble_.transaction, std::nullopt);
    if (dead && draws_.chance(50)) router.disk.membership.reset();
    router.must_wait = dead;
  } else if (between(172, 182) && router.link.session.number != 0) {
    lose_session(router.link);
  } else if (between(182, 190) && person.link.session.number != 0) {
    lose_session(person.link);
  } else if (between(190, 200) && router.member) {
    router.older = router.disk;
  } else if (between(220, 280) && !router.member && router.older) {
    say("router " + std::to_string(index) + " gets an older disk");
    router.disk = *router.older;
    router.must_wait = true;
  } else if (between(208, 216) && router.member && router.member->holding() &&
             !hold(Rule::no_local_unblock)) {
    router.unblocked = true;
  }
}

void World::check_end() {
  const State& state = ensemble_.state.head().value;
  if (state.change) stuck("a change is open at the end: " + state.change->token);
  const int shard = shard_of(state.ring);
  if (value_[shard] < known_) wrong("a write that was acknowledged is gone");
  for (int i = 0; i < kMembers; ++i) {
    Router& router = routers_[i];
    const std::string name = "router " + std::to_string(i);
    if (!router.member || !serves(router)) return stuck(name + " does not serve at the end");
    if (router.member->ring() != state.ring) stuck(name + " ends with another ring");
    if (router.member->record()) stuck(name + " ends with a record");
    if (router.member->blocks() != ensemble_.blocks.head().value)
      stuck(name + " ends with other blocks");
    if (router.member->door(clock(router)) != Door{})
      stuck(name + " ends with a door that is shut");
    const auto& entry = ensemble_.roster[i].head();
    if (!entry || entry->value.ring != state.ring)
      stuck(name + " is not in the roster with the ring in force");
  }
}

std::optional<std::string> World::run() {
  for (int i = 0; i < kSteps && !wrong_; ++i) {
    calm_ = i > kSteps * 3 / 5;
    now_ += 2 + random() * 8;
    apply_flights();
    apply_writes();
    faults();
    const int actor = draws_.any(10);
    if (actor < 4)
      client();
    else if (actor < 8)
      step_router(draws_.any(kMembers));
    else
      step_person(people_[draws_.any(kPeople)]);
  }
  if (!wrong_) check_end();
  return wrong_;
}

}  // namespace fleet_sim
