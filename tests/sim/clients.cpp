// Clients and routers: what the simulated world's traffic does.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using Step = Writer::Step;

long World::clock(const Router& router) const {
  return now_ + (rules_.hold(Rule::lease_by_boot_clock) ? 0 : router.jump);
}

bool World::serves(const Router& router) const {
  return router.up && !(router.leased && clock(router) > router.lease_until);
}

void World::begin_write(Writer& writer) {
  if (ending_ || (scenario_.quiet && !chance(5))) return;
  writer = {};
  const bool zombie = scenario_.zombie_router && chance(20);
  writer.router = zombie ? -1 : any(static_cast<int>(routers_.size()));
  const int generation = zombie ? 1 : routers_[static_cast<std::size_t>(writer.router)].generation;
  writer.database = owner(generation);
  writer.loses_vnode = chance(15);
  const int kind = any(10);
  if (kind == 0) {  // two unique values change places
    const Key first = any(kMovingKeys), second = (first + 1) % kMovingKeys;
    const auto unique = [&](Key key) -> int {
      const auto row = databases_[static_cast<std::size_t>(writer.database)].now.rows.find(key);
      return row == databases_[static_cast<std::size_t>(writer.database)].now.rows.end()
                 ? 0
                 : row->second.unique;
    };
    const int first_unique = unique(first), second_unique = unique(second);
    writer.keys = {{std::min(first, second), first < second ? second_unique : first_unique},
                   {std::max(first, second), first < second ? first_unique : second_unique}};
  } else if (kind == 1) {  // what a filter finds on the shard of the vnode that stays
    writer.by_filter = true;
    writer.owner_of_moving = owner(generation) == 0;
    writer.loses_vnode = false;
    writer.database = 0;
    for (const auto& [key, row] : databases_[0].now.rows)
      if (!moves(key) || owner(generation) == 0 || !rules_.hold(Rule::ghosts_left_out))
        writer.keys.emplace_back(key, std::nullopt);
    if (writer.keys.empty()) return;
  } else {
    const Key key = chance(50) ? any(kMovingKeys) : kMovingKeys + any(kKeys - kMovingKeys);
    if (!moves(key)) writer.database = 0;
    // Rows that stay have no unique values: one that a moving row has taken elsewhere would end the
    // way back.
    writer.keys = {{key, chance(moves(key) ? 25 : 45) ? std::nullopt
                                                      : std::optional(moves(key) ? any(3) : 0)}};
  }
  const bool moving = std::any_of(writer.keys.begin(), writer.keys.end(),
                                  [](const auto& key) { return moves(key.first); });
  if (!zombie) {
    Router& router = routers_[static_cast<std::size_t>(writer.router)];
    if (!router.up || (moving && (!serves(router) || router.blocked)))
      return;  // refused, or held and dropped
    writer.incarnation = router.incarnation;
    writer.counted = moving;
    if (moving) ++router.in_flight;
  }
  writer.transaction = next_transaction_++;
  writer.ended = databases_[static_cast<std::size_t>(writer.database)].transactions_ended;
  writer.step = Step::judge;
}

void World::release(Writer& writer) {
  databases_[static_cast<std::size_t>(writer.database)].unlock(writer.transaction);
  if (writer.counted && writer.router >= 0) {
    Router& router = routers_[static_cast<std::size_t>(writer.router)];
    if (router.incarnation == writer.incarnation) --router.in_flight;
  }
  writer.counted = false;
  writer.step = Step::idle;
}

void World::fail(Writer& writer) { release(writer); }

void World::step_writer(Writer& writer) {
  Database& database = databases_[static_cast<std::size_t>(writer.database)];
  if (writer.step == Step::idle) return begin_write(writer);
  if (writer.step != Step::answer && writer.ended != database.transactions_ended)
    return fail(writer);

  // The connection is lost, and the transaction goes on: the router counts it as ended, the client
  // is told nothing.
  if (writer.counted && writer.step != Step::answer && chance(2)) {
    Router& router = routers_[static_cast<std::size_t>(writer.router)];
    if (router.incarnation == writer.incarnation) --router.in_flight;
    writer.counted = false;
    writer.incarnation = -1;
  }
  if (writer.pause > now_) return;
  if (chance(2)) {
    writer.pause = now_ + any(80);
    return;
  }
  const bool moving = std::any_of(writer.keys.begin(), writer.keys.end(),
                                  [](const auto& key) { return moves(key.first); });
  const auto refused = [&] {
    // The rows of a filter that its shard does not own must not make it fail.
    if (writer.by_filter && writer.router >= 0 && !writer.owner_of_moving)
      violate("a write by filter failed for rows that its shard does not own");
    fail(writer);
  };
  switch (writer.step) {
    case Step::judge:
      writer.judgement = moving ? database.judge(!writer.loses_vnode) : Judgement{};
      if (writer.judgement.refused) return refused();
      if (moving && writer.judgement.plan == 0) database.lock_table(writer.transaction);
      writer.step = writer.judgement.locks ? Step::lock : Step::judge_again;
      return;
    case Step::lock:
      database.lock_shared(writer.judgement.plan, writer.transaction);
      writer.step = Step::judge_again;
      return;
    case Step::judge_again:
      if (moving && rules_.hold(Rule::state_read_again_under_lock) && writer.judgement.locks) {
        writer.judgement = database.judge(!writer.loses_vnode);
        if (writer.judgement.refused) return refused();
      }
      if (writer.judgement.logs)
        for (const auto& [key, unique] : writer.keys)
          if (moves(key)) writer.log.push_back({database.next_sequence++, key});
      writer.step = Step::rows;
      return;
    case Step::rows:
      for (const auto& [key, unique] : writer.keys)
        if (!database.lock_row(key, writer.transaction)) return;  // waits
      writer.step = Step::commit;
      return;
    case Step::commit: return commit(writer);
    case Step::answer: return answer(writer);
    case Step::idle: return;
  }
}

void World::commit(Writer& writer) {
  Database& database = databases_[static_cast<std::size_t>(writer.database)];
  Changes changes;
  for (const auto& [key, unique] : writer.keys) {
    if (!unique) {
      changes.rows.emplace_back(key, std::nullopt);
      continue;
    }
    const auto old = database.now.rows.find(key);
    Row row;
    row.id = old != database.now.rows.end() ? old->second.id : ++database.last_id;
    row.unique = *unique;
    // A trigger that is there sets what is missing.
    row.has_vnode = !writer.loses_vnode ||
                    (database.newest() != nullptr && rules_.hold(Rule::missing_vnode_computed));
    changes.rows.emplace_back(key, row);
  }
  changes.log = writer.log;
  const int version = ++version_;
  if (!database.commit(changes, version)) return fail(writer);
  for (const auto& [key, unique] : writer.keys) writer.written.emplace_back(key, version);
  database.unlock(writer.transaction);
  writer.step = Step::answer;
}

void World::answer(Writer& writer) {
  const bool told =
      writer.router < 0 ||
      (routers_[static_cast<std::size_t>(writer.router)].incarnation == writer.incarnation &&
       routers_[static_cast<std::size_t>(writer.router)].up);
  // A failover may have taken it back before its answer: such a connection ends without one.
  if (told && !chance(5) &&
      writer.ended == databases_[static_cast<std::size_t>(writer.database)].transactions_ended)
    for (const auto& [key, version] : writer.written) {
      auto& acknowledged = acknowledged_[static_cast<std::size_t>(key)];
      auto& seen = seen_[static_cast<std::size_t>(key)];
      if (version > acknowledged) told_by_[static_cast<std::size_t>(key)] = writer.database;
      if (version > seen) seen_at_[static_cast<std::size_t>(key)] = writer.database;
      acknowledged = std::max(acknowledged, version);
      seen = std::max(seen, version);
    }
  release(writer);
}

void World::read() {
  const Router& router = routers_[static_cast<std::size_t>(any(static_cast<int>(routers_.size())))];
  const Key key = any(kMovingKeys);
  if (!serves(router)) return;
  Database& database = databases_[static_cast<std::size_t>(owner(router.generation))];
  const int found = database.now.last[key];
  auto& seen = seen_[static_cast<std::size_t>(key)];
  if (found < seen)
    violate("a read went back: key " + std::to_string(key) + " is version " +
            std::to_string(found) + ", was " + std::to_string(seen));
  if (found > seen) seen_at_[static_cast<std::size_t>(key)] = owner(router.generation);
  seen = found;
}

State World::source_state(const Router& router) {
  if (!router.pending) return State::preparing;
  const int source = owner(router.pending->generation) == 1 ? 0 : 1;
  const PlanRow* row = databases_[static_cast<std::size_t>(source)].plan(router.pending->plan);
  return row == nullptr ? State::aborted : row->state;
}

bool World::decided_at_source(const Router& router) {
  const int source = owner(router.pending->generation) == 1 ? 0 : 1;
  const PlanRow* row = databases_[static_cast<std::size_t>(source)].plan(router.pending->plan);
  return row != nullptr && row->decided;
}

void World::activate(Router& router) {
  router.generation = router.pending->generation;
  router.pending.reset();
  router.leased = false;
  router.blocked = true;  // until the target is ready, which its guard would say too
}

void World::heard(Router& router, State state, bool decided) {
  switch (state) {
    case State::aborted:
      router.pending.reset();
      router.leased = false;
      return;
    case State::committed:
      if (!decided && rules_.hold(Rule::routers_await_flush)) return;  // no new lease either
      activate(router);
      return;
    case State::cleaning:
    case State::done: activate(router); return;
    default:
      router.lease_until =
          (rules_.hold(Rule::lease_from_request) ? router.asked_at : clock(router)) + kLease;
  }
}

void World::restart(Router& router) {
  router.up = true;
  router.blocked = false;
  router.in_flight = 0;
  router.renewal = Router::Renewal::none;
  router.leased = router.pending.has_value();
  if (!router.pending) return;
  router.asked_at = clock(router);
  if (!rules_.hold(Rule::restarted_router_reads_plan)) {
    router.lease_until = router.asked_at + kLease;
    return;
  }
  const bool decided = decided_at_source(router);
  heard(router, source_state(router), decided);
}

void World::step_router(Router& router) {
  if (!router.up) {
    if (chance(10) || calm()) restart(router);
    return;
  }
  if (!calm() && chance(1) && chance(30)) {
    router.up = false;
    ++router.incarnation;
    return;
  }
  if (router.blocked && chance(2))
    router.blocked = false;  // held writes have waited for long enough
  if (!router.leased || !router.pending) return;
  // The answer to a question may be long on its way.
  if (router.deaf_until > now_ && !(router.renewal == Router::Renewal::asked && chance(30))) return;
  switch (router.renewal) {
    case Router::Renewal::none:
      router.asked_at = clock(router);
      router.renewal = Router::Renewal::asked;
      return;
    case Router::Renewal::asked:
      router.read = source_state(router);
      router.read_decided = decided_at_source(router);
      router.read_of = router.pending->plan;
      router.renewal = Router::Renewal::read;
      return;
    case Router::Renewal::read:
      router.renewal = Router::Renewal::none;
      if (router.read_of == router.pending->plan || !rules_.hold(Rule::answer_names_plan))
        heard(router, router.read, router.read_decided);
      return;
  }
}

}  // namespace sim
