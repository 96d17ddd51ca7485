// What coordinators do in databases.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Outcome;

Outcome World::set_state(int database, PlanId plan, State from, State to) {
  Database& where = databases_[static_cast<std::size_t>(database)];
  PlanRow* row = where.plan(plan);
  if (row == nullptr || row->state != from) return Outcome::failed;
  row->state = to;
  where.committed();
  return Outcome::done;
}

std::optional<Outcome> World::make_schema(Task& task) {
  // The target's guard first: nothing is copied to where anybody may write.
  const bool source = task.step == 1;
  Database& database = databases_[static_cast<std::size_t>(source ? task.from : task.to)];
  if (database.plan(task.plan) == nullptr) {
    if (!database.triggers_may_come()) return std::nullopt;
    const bool capturing = !task.copies && rules_.hold(Rule::rollback_captures_at_once);
    database.now.plans.push_back(
        {task.plan, source,
         source ? (capturing ? State::capturing : State::preparing) : State::guarded, 0,
         task.epoch});
    database.committed();
  }
  if (source) return Outcome::done;
  task.step = 1;
  return std::nullopt;
}

/// Whether the side that rows come to has others, whose ids they must not have.
bool World::populated(const Task& task, bool reverse) { return reverse || task.plan > 1; }

/// A row's chunk: read in one transaction, applied in another.
std::optional<Outcome> World::copy(Task& task) {
  Database& from = databases_[static_cast<std::size_t>(task.from)];
  Database& to = databases_[static_cast<std::size_t>(task.to)];
  if (task.step == 0) {
    if (journal_.copied >= kMovingKeys) return Outcome::done;
    task.key = journal_.copied;
    const auto row = from.now.rows.find(task.key);
    task.rows[task.key] = row == from.now.rows.end() ? std::nullopt : std::optional(row->second);
    task.versions[task.key] = from.now.last[task.key];
    task.step = 1;
    return std::nullopt;
  }
  if (rules_.hold(Rule::apply_checks_epoch)) {
    const PlanRow* row = to.plan(task.plan);
    if (row == nullptr || row->epoch != task.epoch || row->state != State::guarded)
      return Outcome::failed;
  }
  Changes changes;
  if (task.rows[task.key] && populated(task, false) && rules_.hold(Rule::ids_issued_anew))
    task.rows[task.key]->id = ++to.last_id;
  changes.rows.emplace_back(task.key, task.rows[task.key]);
  // Unique indexes come after the first whole cycle of the pump.
  if (task.rows[task.key] && task.rows[task.key]->unique != 0)
    for (auto& [key, row] : to.now.rows)
      if (key != task.key && row.unique == task.rows[task.key]->unique) row.unique = 0;
  changes.versions = task.versions;
  to.commit(changes, 0, rules_.hold(Rule::applied_synchronously));
  journal_.copied = std::max(journal_.copied, task.key + 1);
  return journal_.copied < kMovingKeys ? Outcome::more : Outcome::done;
}

/// What the log names becomes at one side what it is at the other. `reverse`: after the switch.
std::optional<Outcome> World::pump(Task& task, bool reverse) {
  Database& from = databases_[static_cast<std::size_t>(reverse ? task.to : task.from)];
  const auto take_rows = [&] {
    for (Key key = 0; key < kMovingKeys; ++key) {
      const auto row = from.now.rows.find(key);
      task.rows[key] = row == from.now.rows.end() ? std::nullopt : std::optional(row->second);
      task.versions[key] = from.now.last[key];
    }
  };
  switch (task.step++) {
    case 0:
      take_rows();
      if (rules_.hold(Rule::log_and_rows_in_one_snapshot)) task.log = from.now.log;
      return std::nullopt;
    case 1:
      if (!rules_.hold(Rule::log_and_rows_in_one_snapshot)) task.log = from.now.log;
      return std::nullopt;
    case 2: {
      if (task.log.empty()) return Outcome::done;
      const Outcome outcome = apply(task, reverse);
      if (outcome != Outcome::done) return outcome;
      return std::nullopt;
    }
    default: {
      int largest = 0;
      for (const LogEntry& entry : task.log) largest = std::max(largest, entry.sequence);
      const auto applied = [&](const LogEntry& entry) {
        if (!rules_.hold(Rule::exact_log_entries_deleted)) return entry.sequence <= largest;
        return std::any_of(task.log.begin(), task.log.end(),
                           [&](const LogEntry& each) { return each.sequence == entry.sequence; });
      };
      from.now.log.erase(std::remove_if(from.now.log.begin(), from.now.log.end(), applied),
                         from.now.log.end());
      from.committed(false);  // applied once more if it is lost
      return Outcome::done;
    }
  }
}

/// A row that is not in the cycle has a unique value of one that is: after a failover the two sides
/// may differ in what no log names. It gets a log entry at its source first, then it goes.
void World::make_room(const Task& task, const Changes& changes, bool reverse) {
  Database& from = databases_[static_cast<std::size_t>(reverse ? task.to : task.from)];
  Database& to = databases_[static_cast<std::size_t>(reverse ? task.from : task.to)];
  boost::container::flat_set<int> wanted;
  for (const auto& [key, row] : changes.rows)
    if (row && row->unique != 0) wanted.insert(row->unique);
  for (Key key = 0; key < kMovingKeys; ++key) {
    const bool in_cycle = std::any_of(task.log.begin(), task.log.end(),
                                      [&](const LogEntry& entry) { return entry.key == key; });
    const auto row = to.now.rows.find(key);
    if (in_cycle || row == to.now.rows.end() || !wanted.contains(row->second.unique)) continue;
    from.now.log.push_back({from.next_sequence++, key});
    from.committed();
    to.now.rows.erase(key);
    to.committed();
  }
}

Outcome World::apply(Task& task, bool reverse) {
  Database& to = databases_[static_cast<std::size_t>(reverse ? task.from : task.to)];
  if (rules_.hold(Rule::apply_checks_epoch)) {
    const PlanRow* row = to.plan(task.plan);
    const State wanted = reverse ? State::committed : State::guarded;
    if (row == nullptr || row->epoch != task.epoch || row->state != wanted) return Outcome::failed;
  }
  const bool synchronous = rules_.hold(Rule::applied_synchronously);
  Changes changes;
  const auto flush = [&] {
    bool good = to.commit(changes, 0, synchronous);
    if (!good) {
      make_room(task, changes, reverse);
      good = to.commit(changes, 0, synchronous);
    }
    if (!good) violate("a cycle of the pump can't be applied: a unique value is taken");
    changes = {};
    return good;
  };
  for (const LogEntry& entry : task.log) {
    if (std::any_of(changes.rows.begin(), changes.rows.end(),
                    [&](const auto& each) { return each.first == entry.key; }))
      continue;
    std::optional<Row> row = task.rows[entry.key];
    if (row) {
      const auto old = to.now.rows.find(entry.key);
      if (old != to.now.rows.end())
        row->id = old->second.id;
      else if (populated(task, reverse) && rules_.hold(Rule::ids_issued_anew))
        row->id = ++to.last_id;
    }
    changes.rows.emplace_back(entry.key, row);
    changes.versions[entry.key] = task.versions[entry.key];
    // Row after row, a value that changes places is taken when it arrives.
    if (!rules_.hold(Rule::deletes_before_inserts) && !flush()) return Outcome::failed;
  }
  return changes.rows.empty() || flush() ? Outcome::done : Outcome::failed;
}

/// The first verification finds nothing unless a rule is broken: left out, so that broken rules
/// show.
Outcome World::verify(const Task& task) {
  if (!task.verify_again) return Outcome::done;
  Database& from = databases_[static_cast<std::size_t>(task.from)];
  Database& to = databases_[static_cast<std::size_t>(task.to)];
  for (Key key = 0; key < kMovingKeys; ++key) {
    const auto a = from.now.rows.find(key), b = to.now.rows.find(key);
    const bool here = a != from.now.rows.end(), there = b != to.now.rows.end();
    if (here == there &&
        (!here ||
         (a->second.version == b->second.version && a->second.unique == b->second.unique)) &&
        from.now.last[key] == to.now.last[key])
      continue;
    from.now.log.push_back({from.next_sequence++, key});
  }
  from.committed();
  journal_.timelines = {databases_[0].now.timeline, databases_[1].now.timeline};
  return Outcome::done;
}

Outcome World::commit_plan(Task& task) {
  Database& from = databases_[static_cast<std::size_t>(task.from)];
  PlanRow* row = from.plan(task.plan);
  if (row == nullptr || row->state != State::fenced || row->attempt != task.attempt)
    return Outcome::failed;
  row->state = State::committed;
  from.committed();
  return Outcome::done;
}

Outcome World::back_out(const Task& task) {
  Database& from = databases_[static_cast<std::size_t>(task.from)];
  PlanRow* row = from.plan(task.plan);
  if (row == nullptr) return Outcome::done;
  if (row->state == State::committed) return Outcome::committed;
  if (row->state == State::fenced) {
    if (!rules_.hold(Rule::row_decides_commit)) return Outcome::done;  // it reads as not committed
    row->state = State::capturing;
    from.committed();
  }
  return Outcome::done;
}

Outcome World::clean(const Task& task) {
  Database& from = databases_[static_cast<std::size_t>(task.from)];
  const PlanRow* row = from.plan(task.plan);
  if (row == nullptr) return Outcome::failed;
  if (row->state == State::done && rules_.hold(Rule::cleanup_checks_newest_plan))
    return Outcome::done;
  if (rules_.hold(Rule::cleanup_checks_newest_plan)) {
    const PlanRow* newest = from.newest();
    if (newest == nullptr || newest->plan != task.plan || newest->state != State::cleaning ||
        row->epoch != task.epoch)
      return Outcome::failed;
  }
  for (Key key = 0; key < kMovingKeys; ++key)
    if (from.now.rows.erase(key) > 0) {
      from.committed();
      return Outcome::more;
    }
  return Outcome::done;
}

}  // namespace sim
