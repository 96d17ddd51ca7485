// Journals that are kept in both databases of their plan, beside its rows.
#include <algorithm>

#include "reshard/standing.hpp"
#include "tests/sim/world.hpp"

namespace sim {

using reshard::Act;

namespace {

std::string name_of(const PlanRow* row) {
  if (row == nullptr) return "";
  switch (row->state) {
    case State::preparing: return "preparing";
    case State::capturing: return "capturing";
    case State::fenced: return "fenced";
    case State::committed: return "committed";
    case State::cleaning: return "cleaning";
    case State::done: return "done";
    case State::aborted: return "aborted";
    case State::guarded: return "guarded";
  }
  return "";
}

/// What is no record, but the run's own.
Journal with_own(Journal kept, const Journal& own) {
  kept.writer = own.writer;
  kept.fails_until = own.fails_until;
  kept.stopped = own.stopped;
  kept.stops = own.stops;
  return kept;
}

}  // namespace

KeptJournal& World::kept(const Mission& plan, std::size_t side) {
  const auto index = static_cast<std::size_t>(&plan - &missions_[0]);
  return database(plan.at[side]).now.journals[index];
}

bool World::usable(const Mission& mission, const std::array<Session, 2>& sessions,
                   std::size_t side) const {
  const Session& session = sessions[side];
  return session.open && !session.cut && !away(mission.at[side]) &&
         session.ended == databases_[static_cast<std::size_t>(mission.at[side])].transactions_ended;
}

/// First at the side whose word counts; false: it can't be kept there. Then at the other, if that
/// takes it.
bool World::keep(Mission& plan, const std::array<Session, 2>& sessions, int epoch, Act act) {
  std::size_t first = reshard::decided_by(act) == reshard::Role::source ? 0 : 1;
  if (!hold(Rule::journal_at_both_sides)) first = 0;
  if (hold(Rule::journal_at_both_sides) && !sessions[first].open) first = 1 - first;
  const auto put = [&](std::size_t side) {
    if (!usable(plan, sessions, side)) return false;
    KeptJournal& there = kept(plan, side);
    if (there.writer != epoch && hold(Rule::journal_names_writer)) return false;
    there.journal = plan.journal;
    there.seq = plan.last_seq;
    database(plan.at[side]).committed();
    return true;
  };
  ++plan.last_seq;
  if (!sessions[first].open) return true;  // there is nowhere to keep it
  if (!put(first)) return false;
  if (hold(Rule::journal_at_both_sides) && (calm() || !chance(5))) put(1 - first);
  return true;
}

/// What a rollback begins with, beside its definition.
void World::keep_first(Mission& plan) {
  if (!scenario_.kept_in_databases) return;
  plan.last_seq = 1;
  for (std::size_t side = 0; side < 2; ++side) {
    if (away(plan.at[side]) || (side == 1 && !hold(Rule::journal_at_both_sides))) continue;
    kept(plan, side) = {plan.journal, 1, 0};
    database(plan.at[side]).committed();
  }
}

/// A side that is taken is given what it lacks, and takes no record of an older coordinator.
void World::make_whole(const Mission& plan, std::size_t side, int epoch) {
  if (!scenario_.kept_in_databases) return;
  KeptJournal& here = kept(plan, side);
  const KeptJournal& there = kept(plan, 1 - side);
  if (hold(Rule::journal_at_both_sides) && !away(plan.at[1 - side]) && there.seq > here.seq)
    here = there;
  here.writer = epoch;
  database(plan.at[side]).committed();
}

/// What a coordinator that takes over goes by. False: nothing can be read.
bool World::know_again(Mission& plan) {
  if (!scenario_.kept_in_databases) return true;
  const KeptJournal* newest = nullptr;
  std::array<std::string, 2> rows;
  for (std::size_t side = 0; side < 2; ++side) {
    if (away(plan.at[side])) continue;
    rows[side] = name_of(database(plan.at[side]).plan(plan.number));
    if (side == 1 && !hold(Rule::journal_at_both_sides)) continue;
    if (newest == nullptr || kept(plan, side).seq > newest->seq) newest = &kept(plan, side);
  }
  if (newest == nullptr) return false;
  Journal known = newest->journal;
  if (newest->seq == 0) {
    known = {};
    if (plan.reverts >= 0) known.progress = reshard::rollback();
  }
  if (hold(Rule::fuller_row_believed))
    known.progress = reshard::believed(known.progress, rows[0], rows[1]);
  plan.journal = with_own(known, plan.journal);
  plan.last_seq = std::max(plan.last_seq, newest->seq);
  return true;
}

/// After a failover, people see what is left.
void World::look_again(Mission& plan) {
  if (plan.status == Mission::Status::over && plan.ended) know_again(plan);
}

}  // namespace sim
