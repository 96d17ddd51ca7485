// Writes: from a router's gate through the triggers to an answer.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using Step = Writer::Step;

namespace {

/// Unique values are of their vnode: one that a moving row has taken elsewhere would end a plan.
std::int8_t unique_of(Key key, int draw) {
  return static_cast<std::int8_t>(draw == 0 ? 0 : vnode_of(key) * 2 + draw);
}

}  // namespace

void World::begin_write(Writer& writer) {
  if (scenario_.quiet && !chance(8)) return;
  writer = {};
  const bool zombie = scenario_.zombie_router && chance(20);
  writer.router = zombie ? -1 : any(kRouters);
  Router& router = routers_[static_cast<std::size_t>(std::max(writer.router, 0))];
  const Ring& ring = zombie ? first_ring_ : router.ring;
  writer.loses_vnode = chance(15);
  const int kind = any(10);
  const Key key = any(kKeys);
  const int vnode = vnode_of(key);
  writer.database = ring.of(vnode);
  if (away(writer.database)) return;
  Database& database = this->database(writer.database);
  writer.owned = ring.owned_by(writer.database);
  if (kind == 0) {  // two unique values change places
    const Key first = vnode * kKeysEach, second = first + 1;
    const Slot &a = database.slot(first), &b = database.slot(second);
    writer.puts.push_back({first, false, b.present ? b.unique : std::int8_t{0}, {}, 0});
    writer.puts.push_back({second, false, a.present ? a.unique : std::int8_t{0}, {}, 0});
  } else if (kind == 1) {  // what a filter finds on a shard
    writer.by_filter = true;
    writer.loses_vnode = false;
    const int matched = any(255) & any(255);
    for (Key each = 0; each < kKeys; ++each) {
      const Slot& slot = database.slot(each);
      const bool ghost = hold(Rule::ghosts_left_out) && database.hides(slot.stored, ring.digest());
      if (slot.present && !slot.left_over && !ghost && ((matched >> each) & 1) != 0)
        writer.puts.push_back({each, true, 0, {}, 0});
    }
    if (writer.puts.empty()) return;
  } else {
    const bool deletes = chance(25);
    writer.puts.push_back({key, deletes, deletes ? std::int8_t{0} : unique_of(key, any(3)), {}, 0});
  }
  for (const Writer::Put& put : writer.puts) writer.vnodes |= only(vnode_of(put.key));
  if (!zombie) {
    if (!writes(router, writer.vnodes)) return;  // refused, or held and dropped
    writer.at_ease = fleet_ && member(router).is_at_ease(writer.vnodes);
    writer.activated = fleet_ && member(router).activated(writer.vnodes);
    writer.incarnation = router.incarnation;
    writer.counted = true;
    count(writer, 1);
  }
  writer.transaction = next_transaction_++;
  writer.ended = database.transactions_ended;
  writer.step = Step::judge;
}

void World::count(Writer& writer, int by) {
  if (!writer.counted || writer.router < 0) return;
  Router& router = routers_[static_cast<std::size_t>(writer.router)];
  if (router.incarnation != writer.incarnation) return;
  for (int vnode = 0; vnode < kVnodes; ++vnode)
    if (has(writer.vnodes, vnode)) router.in_flight[static_cast<std::size_t>(vnode)] += by;
}

void World::release(Writer& writer) {
  database(writer.database).unlock(writer.transaction);
  count(writer, -1);
  writer.counted = false;
  writer.step = Step::idle;
}

/// Of each row, by its vnode. A trigger's refusal ends the statement.
void World::judge(Writer& writer, bool again) {
  Database& database = this->database(writer.database);
  bool refused = false, foreign = false;
  for (Writer::Put& put : writer.puts) {
    if (again && !put.judgement.locks) continue;
    put.judgement = database.judge(vnode_of(put.key), !writer.loses_vnode);
    refused = refused || put.judgement.refused;
    if (put.judgement.refused) check_sent(writer, database, vnode_of(put.key));
    foreign = foreign || (put.judgement.refused && !has(writer.owned, vnode_of(put.key)));
  }
  if (!refused) return;
  // The rows of a filter that its shard does not own must not make it fail.
  if (foreign && writer.by_filter && writer.router >= 0)
    violate(Wrong::found_twice, "a write by filter failed for rows that its shard does not own");
  release(writer);
}

void World::step_writer(Writer& writer) {
  if (writer.step == Step::idle) return begin_write(writer);
  Database& database = this->database(writer.database);
  if (writer.step != Step::answer && (writer.ended != database.transactions_ended))
    return release(writer);
  // The connection is lost, and the transaction goes on: the router counts it as ended, the client
  // is told nothing.
  if (writer.counted && writer.step != Step::answer && chance(2)) {
    count(writer, -1);
    writer.counted = false;
    writer.incarnation = -1;
  }
  if (writer.pause > now_) return;
  if (chance(2)) {
    writer.pause = now_ + any(scenario_.slow_clients && !calm() && chance(30) ? 500 : 80);
    return;
  }
  switch (writer.step) {
    case Step::judge:
      if (database.exclusive != 0) return;  // waits
      database.lock_table(writer.transaction);
      judge(writer, false);
      if (writer.step == Step::judge) writer.step = Step::lock;
      return;
    case Step::lock:
      for (int i = 0; i < writer.puts.size(); ++i) {
        const Judgement& each = writer.puts[i].judgement;
        if (!each.locks) continue;
        const bool held =
            std::any_of(writer.puts.begin(), writer.puts.begin() + i,
                        [&](const Writer::Put& put) { return put.judgement.plan == each.plan; });
        if (!held) database.lock_shared(each.plan, writer.transaction);
      }
      writer.step = Step::judge_again;
      return;
    case Step::judge_again:
      if (hold(Rule::state_read_again_under_lock)) judge(writer, true);
      if (writer.step != Step::judge_again) return;
      for (const Writer::Put& put : writer.puts)
        if (put.judgement.logs)
          writer.log.push_back({database.next_sequence++,
                                static_cast<std::int8_t>(put.judgement.plan),
                                static_cast<std::int8_t>(put.key)});
      writer.step = Step::rows;
      return;
    case Step::rows:
      for (const Writer::Put& put : writer.puts)
        if (!database.lock_row(put.key, writer.transaction)) return;  // waits
      writer.step = Step::commit;
      return;
    case Step::commit: return commit(writer);
    case Step::answer: return answer(writer);
    case Step::idle: return;
  }
}

void World::commit(Writer& writer) {
  Database& database = this->database(writer.database);
  Changes changes;
  for (Writer::Put& put : writer.puts) {
    // A ghost that a filter finds is nobody's object.
    if (writer.by_filter && !has(writer.owned, vnode_of(put.key))) continue;
    const Slot& old = database.slot(put.key);
    Slot slot;
    slot.last = put.version = ++version_;
    if (!put.deletes) {
      slot.present = true;
      slot.id = old.present ? old.id : ++database.last_id;
      slot.unique = put.unique;
      // A trigger that is there sets what is missing.
      // While a person has it away, others than a source's writers say their vnode.
      const Table& table = database.now.table;
      const PlanRow* plan = database.newest(vnode_of(put.key));
      const bool sets = table.trigger && table.enabled ? hold(Rule::missing_vnode_computed)
                                                       : plan != nullptr && !plan->source;
      const bool set = !writer.loses_vnode || sets;
      slot.stored = set ? static_cast<std::int8_t>(vnode_of(put.key)) : kNoVnode;
    }
    changes.rows.push_back({put.key, slot});
  }
  changes.log = writer.log;
  if (!database.commit(changes)) return release(writer);
  for (const Writer::Put& put : writer.puts)
    if (put.deletes && put.version != 0) {
      int& deleted = deleted_[static_cast<std::size_t>(put.key)];
      deleted = std::max(deleted, put.version);
    }
  database.unlock(writer.transaction);
  writer.step = Step::answer;
}

void World::answer(Writer& writer) {
  const bool told =
      writer.router < 0 ||
      (routers_[static_cast<std::size_t>(writer.router)].incarnation == writer.incarnation &&
       routers_[static_cast<std::size_t>(writer.router)].up);
  // A failover may have taken it back before its answer: such a connection ends without one.
  if (told && !chance(5) && writer.ended == database(writer.database).transactions_ended)
    for (const Writer::Put& put : writer.puts) {
      const auto key = static_cast<std::size_t>(put.key);
      if (put.version > acknowledged_[key]) told_by_[key] = writer.database;
      if (put.version > seen_[key]) seen_at_[key] = writer.database;
      acknowledged_[key] = std::max(acknowledged_[key], put.version);
      seen_[key] = std::max(seen_[key], put.version);
    }
  release(writer);
}

}  // namespace sim
