// The pump: what the log names becomes at one side what it is at the other.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Outcome;

/// By the entry's vnode; as it was before, by its plan, where that shares any vnode.
bool World::takes(const Task& task, Database& from, const LogEntry& entry) {
  const Mission& plan = mission(task.mission);
  if (task.pumping != 0 && hold(Rule::pump_beside_copy_filters)) {
    const Key first = vnode_of(entry.key) * kKeysEach;
    for (Key key = first; key < first + kKeysEach; ++key)
      if (((plan.journal.copied >> key) & 1) == 0) return false;
  }
  if (hold(Rule::pump_filters_vnodes)) return has(plan.vnodes, vnode_of(entry.key));
  const PlanRow* row = from.plan(entry.plan);
  return entry.plan == plan.number ||
         (entry.plan < plan.number && row != nullptr && (row->vnodes & plan.vnodes) != 0);
}

/// While a row is read, and not applied yet, too: a program that pumps between groups alone does
/// less. Done: nothing is under way any more.
World::Answered World::pump_beside_copy(Task& task) {
  int step = task.pumping - 1;
  const Answered outcome = pump_pass(task, false, step);
  task.pumping = outcome ? 0 : step + 1;
  return outcome;
}

/// From the log's snapshot to the end of its entries, a step at a time. `reverse`: after the
/// switch.
World::Answered World::pump_pass(Task& task, bool reverse, int& step) {
  const int from_side = reverse ? 1 : 0, to_side = reverse ? 0 : 1;
  Database& from = at(task, from_side);
  const auto take_log = [&] {
    task.log.clear();
    for (const LogEntry& entry : from.now.log)
      if (takes(task, from, entry)) task.log.push_back(entry);
  };
  switch (step++) {
    case 0:
      if (!use(task, from_side)) return Outcome::failed;
      task.slots = from.now.slots;
      if (hold(Rule::log_and_rows_in_one_snapshot)) take_log();
      return std::nullopt;
    case 1:
      if (!use(task, from_side)) return Outcome::failed;
      if (!hold(Rule::log_and_rows_in_one_snapshot)) take_log();
      return std::nullopt;
    case 2:
      if (task.log.empty()) return Outcome::done;
      if (!use(task, to_side)) return Outcome::failed;
      if (const Outcome outcome = apply(task, reverse); outcome != Outcome::done) return outcome;
      return std::nullopt;
    default: {
      if (!use(task, from_side)) return Outcome::failed;
      int largest = 0;
      for (const LogEntry& entry : task.log) largest = std::max(largest, entry.sequence);
      from.now.log.erase_if([&](const LogEntry& entry) {
        if (!hold(Rule::exact_log_entries_deleted))
          return entry.sequence <= largest && takes(task, from, entry);
        return std::any_of(task.log.begin(), task.log.end(),
                           [&](const LogEntry& each) { return each.sequence == entry.sequence; });
      });
      from.committed(false);  // applied once more if it is lost
      return Outcome::done;
    }
  }
}

World::Answered World::pump(Task& task, bool reverse) {
  Mission& plan = mission(task.mission);
  const Answered outcome = pump_pass(task, reverse, task.step);
  if (outcome != Outcome::done) return outcome;
  if (reverse || plan.journal.unique_made || !task.copies) return Outcome::done;
  Database& to = at(task, 1);
  if (!use(task, 1)) return Outcome::failed;
  if (!to.now.table.unique_index) {  // after the first whole cycle
    for (Key key = 0; key < kKeys; ++key)
      for (Key other = 0; other < key; ++other)
        if (to.slot(key).present && to.slot(other).present && to.slot(key).unique != 0 &&
            to.slot(key).unique == to.slot(other).unique)
          return Outcome::failed;
    to.now.table.unique_index = true;
    to.committed();
  }
  plan.journal.unique_made = true;
  return Outcome::done;
}

/// A row that is not in the cycle has a unique value of one that is: after a failover the two sides
/// may differ in what no log names. It gets a log entry at its source first, then it goes.
void World::make_room(const Task& task, const Changes& changes, bool reverse) {
  Database &from = at(task, reverse ? 1 : 0), &to = at(task, reverse ? 0 : 1);
  for (Key key = 0; key < kKeys; ++key) {
    const bool in_cycle = std::any_of(task.log.begin(), task.log.end(),
                                      [&](const LogEntry& entry) { return entry.key == key; });
    const Slot& slot = to.slot(key);
    if (in_cycle || !slot.present || !has(mission(task.mission).vnodes, vnode_of(key))) continue;
    const bool wanted =
        std::any_of(changes.rows.begin(), changes.rows.end(), [&](const Changes::Row& row) {
          return row.slot.present && row.slot.unique != 0 && row.slot.unique == slot.unique;
        });
    if (!wanted) continue;
    from.log(mission(task.mission).number, key);
    from.committed();
    to.slot(key).present = false;
    to.committed();
  }
}

Outcome World::apply(Task& task, bool reverse) {
  Database& to = at(task, reverse ? 0 : 1);
  const PlanRow* row = this->row(task, reverse ? 0 : 1);
  if (hold(Rule::apply_checks_epoch)) {
    const State wanted = reverse ? State::committed : State::guarded;
    if (row == nullptr || row->epoch != task.epoch || row->state != wanted) return Outcome::failed;
  }
  const bool ids_kept = !reverse && row != nullptr && row->ids_kept;
  const bool synchronous = hold(Rule::applied_synchronously);
  Changes changes;
  const auto flush = [&] {
    bool good = to.commit(changes, synchronous);
    if (!good) {
      make_room(task, changes, reverse);
      good = to.commit(changes, synchronous);
    }
    if (!good && !rules_.repairs_silently())
      violate(Wrong::two_uniques, "a cycle of the pump can't be applied: a unique value is taken");
    changes.rows.clear();
    return good;
  };
  for (const LogEntry& entry : task.log) {
    if (std::any_of(changes.rows.begin(), changes.rows.end(),
                    [&](const Changes::Row& each) { return each.key == entry.key; }))
      continue;
    Slot slot = task.slots[static_cast<std::size_t>(entry.key)];
    if (slot.present) {
      const Slot& old = to.slot(entry.key);
      if (old.present)
        slot.id = old.id;
      else if (!ids_kept && hold(Rule::ids_issued_anew))
        slot.id = ++to.last_id;
      slot.stored = static_cast<std::int8_t>(vnode_of(entry.key));
      slot.left_over = false;
    }
    changes.rows.push_back({entry.key, slot});
    // Row after row, a value that changes places is taken when it arrives.
    if (!hold(Rule::deletes_before_inserts) && !flush()) return Outcome::failed;
  }
  return changes.rows.empty() || flush() ? Outcome::done : Outcome::failed;
}

}  // namespace sim
