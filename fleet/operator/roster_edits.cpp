// What operators write into the roster.
#include <ctime>
#include <utility>

#include "fleet/operator/failed.hpp"
#include "fleet/operator/operator.hpp"
#include "fleet/protocol/text.hpp"
#include "fleet/service/history.hpp"

namespace fleet {

using coordination::Check;
using coordination::Create;
using coordination::Outcome;
using coordination::Remove;
using coordination::Set;

/// Where no change is open, and nothing has changed since it was looked at. `unique`: of this step.
void Operator::edit_roster(const FleetView& view, const std::string& unique,
                           const std::string& note, std::vector<coordination::Write> writes) {
  const std::string by = unique + "." + std::to_string(std::time(nullptr));
  writes.insert(writes.begin(), Check{paths_.state(), view.version});
  writes.emplace_back(
      Create{paths_.step(view.state.seq, by), step_of(view.state, note), false, false});
  const Outcome outcome = write(std::move(writes));
  if (outcome == Outcome::version_differs || outcome == Outcome::no_node ||
      outcome == Outcome::exists)
    throw OperatorError("the fleet has changed meanwhile; look again");
  if (outcome != Outcome::done) fail(paths_.roster(), outcome, true);
}

void Operator::remove(const FleetView& view, const std::string& id, const std::string& who) {
  const MemberView& member = view.members.at(id);
  std::vector<coordination::Write> writes{Remove{paths_.entry(id), member.version}};
  if (read(paths_.answer(id))) writes.emplace_back(Remove{paths_.answer(id)});
  edit_roster(view, "removed." + member.entry.incarnation, "removal of " + id + ", by " + who,
              std::move(writes));
}

void Operator::put_foreign(const FleetView& view, const std::string& id, const Foreign& foreign,
                           const std::string& who) {
  if (!Paths::can_be_id(id)) throw OperatorError("\"" + id + "\" can't be a router's id");
  Entry entry;
  entry.foreign = foreign;
  const std::string text = to_text(entry);
  const auto there = view.members.find(id);
  coordination::Write write = Create{paths_.entry(id), text, false, false};
  if (there != view.members.end()) write = Set{paths_.entry(id), text, there->second.version};
  const std::string note = foreign.stopped          ? " is stopped"
                           : foreign.digest.empty() ? " serves by a ring of its own"
                                                    : " serves ring " + foreign.digest;
  edit_roster(view, "foreign." + id, id + note + ", says " + who, {std::move(write)});
}

}  // namespace fleet
