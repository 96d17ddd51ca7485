// Reads in four steps: planned by a router's ring, sent, looked at by each shard, answered. They
// are judged by what anybody had seen when they began.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using Step = Reader::Step;

void World::begin_read(Reader& reader) {
  const int index = any(kRouters);
  const Router& router = routers_[static_cast<std::size_t>(index)];
  if (!router.up) return;
  reader.router = index;
  reader.incarnation = router.incarnation;
  reader.finds = chance(40);
  reader.key = any(kKeys);
  reader.ring = router.ring;
  if (!serves(router, reader.finds ? kKeyed : only(vnode_of(reader.key)))) return;
  reader.shards = reader.finds
                      ? (1u << kDatabases) - 1
                      : static_cast<std::uint8_t>(1u << reader.ring.of(vnode_of(reader.key)));
  reader.started = seen_;
  reader.times.fill(0);
  reader.found.fill(0);
  reader.pause = 0;
  reader.step = Step::planned;
}

void World::step_reader(Reader& reader) {
  if (reader.step == Step::idle) return begin_read(reader);
  const Router& router = routers_[static_cast<std::size_t>(reader.router)];
  if (!router.up || router.incarnation != reader.incarnation) {  // its client is told nothing
    reader.step = Step::idle;
    return;
  }
  if (reader.pause > now_) return;
  // Its process is stopped.
  if (fleet_ && reader.step != Step::sent && member(router).stopped_until > now_) return;
  if (chance(3)) {
    reader.pause = now_ + any(scenario_.slow_clients && !calm() ? 300 : 30);
    return;
  }
  if (reader.step == Step::answer) {
    answer(reader);
    reader.step = Step::idle;
    return;
  }
  if (reader.step == Step::planned) {
    // By the ring in force: the lease that it was planned under may be gone with the ring.
    const bool refused = hold(Rule::lease_asked_when_sent) &&
                         (!serves(router, reader.finds ? kKeyed : only(vnode_of(reader.key))) ||
                          router.ring.owner != reader.ring.owner);
    reader.step = refused ? Step::idle : Step::sent;
    return;
  }
  int shard = any(kDatabases);
  while (((reader.shards >> shard) & 1) == 0) shard = (shard + 1) % kDatabases;
  if (away(shard)) {
    reader.step = Step::idle;  // an error, and the client knows
    return;
  }
  look(reader, shard);
  reader.shards = static_cast<std::uint8_t>(reader.shards & ~(1u << shard));
  if (reader.shards == 0) reader.step = Step::answer;
}

void World::look(Reader& reader, int shard) {
  const Database& database = this->database(shard);
  const std::uint32_t digest = reader.ring.digest();
  for (Key key = 0; key < kKeys; ++key) {
    if (!reader.finds && key != reader.key) continue;
    const Slot& slot = database.slot(key);
    if (reader.finds && hold(Rule::ghosts_left_out) && database.hides(slot.stored, digest))
      continue;
    const auto at = static_cast<std::size_t>(key);
    const bool here = reader.ring.of(vnode_of(key)) == shard;
    // A row that was left where it was before any plan is no plan's affair, until it has moved.
    if (!slot.present || (slot.left_over && !here)) {
      // A delete that was looked at has been seen.
      if (here && reader.times[at] == 0) {
        reader.found[at] = slot.last;
        reader.at[at] = shard;
      }
      continue;
    }
    if (reader.times[at]++ > 0 && reader.found[at] > slot.last) continue;
    reader.found[at] = slot.last;
    reader.at[at] = shard;
  }
}

void World::answer(const Reader& reader) {
  if (reader.finds) ++done_.finds;
  for (Key key = 0; key < kKeys; ++key) {
    if (!reader.finds && key != reader.key) continue;
    const auto at = static_cast<std::size_t>(key);
    const std::string name = "key " + std::to_string(key);
    const int started = reader.started[at], found = reader.found[at];
    const bool absent = reader.times[at] == 0;
    if (reader.times[at] > 1) violate(Wrong::found_twice, "a find has " + name + " twice");
    if (absent && deleted_[at] < started)
      violate(Wrong::absent, std::string(reader.finds ? "a find" : "a get") + " has no " + name +
                                 ", though it exists all along");
    if (!absent && found < started)
      violate(deleted_[at] == started ? Wrong::back_from_dead : Wrong::went_back,
              "a read went back: " + name + " is version " + std::to_string(found) + ", was " +
                  std::to_string(started));
    if (found > seen_[at] && (!absent || found == deleted_[at])) {
      seen_[at] = found;
      seen_at_[at] = reader.at[at];
    }
  }
}

bool World::finds_by_others(const Ring& ring) const {
  return std::any_of(readers_.begin(), readers_.end(), [&](const Reader& reader) {
    const Router& router = routers_[static_cast<std::size_t>(reader.router)];
    return reader.finds && reader.step != Step::idle && reader.step != Step::answer && router.up &&
           router.incarnation == reader.incarnation && !(reader.ring == ring);
  });
}

bool World::reads_elsewhere(Vnodes vnodes, int owner) const {
  return std::any_of(readers_.begin(), readers_.end(), [&](const Reader& reader) {
    if (reader.step == Step::idle) return false;
    const Router& router = routers_[static_cast<std::size_t>(reader.router)];
    if (!router.up || router.incarnation != reader.incarnation) return false;
    Vnodes named = reader.finds ? kKeyed : only(vnode_of(reader.key));
    named &= vnodes;
    if ((named & ~reader.ring.owned_by(owner)) == 0) return false;
    // A router that is silent is not asked: what it had sent is waited for, and what it has
    // planned, it does not send when its lease has run out.
    if (router.deaf_until <= now_) return reader.step != Step::answer;
    return reader.step == Step::sent || (reader.step == Step::planned && serves(router, named));
  });
}

}  // namespace sim
