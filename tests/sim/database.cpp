#include "tests/sim/database.hpp"

#include <algorithm>

namespace sim {

PlanRow* Database::plan(PlanId plan) {
  for (PlanRow& row : now.plans)
    if (row.plan == plan) return &row;
  return nullptr;
}

const PlanRow* Database::newest() const {
  const PlanRow* found = nullptr;
  for (const PlanRow& row : now.plans)
    if (row.state != State::aborted && (found == nullptr || row.plan > found->plan)) found = &row;
  return found;
}

Judgement Database::judge(bool vnode_known) const {
  const PlanRow* plan = newest();
  if (plan == nullptr) return {};
  // A trigger that looks at `_vnode` alone does not know that such a row is captured.
  if (!vnode_known && !rules_.hold(Rule::missing_vnode_computed))
    return {plan->plan, false, false, false};
  Judgement judgement{plan->plan, false, false, true};
  switch (plan->state) {
    case State::preparing: judgement.locks = rules_.hold(Rule::lock_while_preparing); break;
    case State::capturing: judgement.logs = true; break;
    case State::fenced: judgement.refused = true; break;
    case State::committed:
      if (plan->source)
        judgement.refused = rules_.hold(Rule::ownership_fence);
      else
        judgement.logs = rules_.hold(Rule::reverse_log_from_commit);
      break;
    case State::cleaning:
    case State::done: judgement.refused = plan->source && rules_.hold(Rule::ownership_fence); break;
    case State::guarded: judgement.refused = rules_.hold(Rule::target_guard); break;
    case State::aborted: break;
  }
  return judgement;
}

bool Database::lock_row(Key key, TransactionId holder) {
  const auto [lock, taken] = row_locks_.emplace(key, holder);
  return taken || lock->second == holder;
}

void Database::unlock(TransactionId holder) {
  const auto remove = [](auto& from, auto held) {
    from.erase(std::remove_if(from.begin(), from.end(), held), from.end());
  };
  remove(without_trigger_, [&](TransactionId each) { return each == holder; });
  remove(shared_, [&](const auto& lock) { return lock.second == holder; });
  for (auto lock = row_locks_.begin(); lock != row_locks_.end();)
    lock = lock->second == holder ? row_locks_.erase(lock) : std::next(lock);
}

bool Database::barrier_open(PlanId plan) const {
  return std::none_of(shared_.begin(), shared_.end(), [&](const auto& lock) {
    return lock.first == plan || (lock.first < plan && rules_.hold(Rule::barrier_for_older_plans));
  });
}

bool Database::commit(const Changes& changes, int version, bool synchronous) {
  Content next = now;
  for (const auto& [key, row] : changes.rows) {
    if (row) {
      next.rows[key] = *row;
      next.deleted.erase(key);
    } else {
      next.rows.erase(key);
      next.deleted.insert(key);
    }
    if (row && version > 0) next.rows[key].version = version;
    const auto known = changes.versions.find(key);
    next.last[key] = version > 0 || known == changes.versions.end() ? version : known->second;
  }
  for (auto row = next.rows.begin(); row != next.rows.end(); ++row)
    for (auto other = next.rows.begin(); other != row; ++other)
      if (row->second.unique != 0 && row->second.unique == other->second.unique) return false;
  next.log.insert(next.log.end(), changes.log.begin(), changes.log.end());
  now = std::move(next);
  committed(synchronous);
  return true;
}

void Database::committed(bool synchronous) {
  if (synchronous && !lagging_standby) {
    standby_ = now;
    unflushed_ = 0;
  } else {
    ++unflushed_;
  }
}

void Database::replicate() {
  standby_ = now;
  unflushed_ = 0;
}

void Database::fail_over() {
  const int timeline = now.timeline;
  now = standby_;
  now.timeline = timeline + 1;
  standby_ = now;
  unflushed_ = 0;
  shared_.clear();
  without_trigger_.clear();
  row_locks_.clear();
  ++transactions_ended;
}

}  // namespace sim
