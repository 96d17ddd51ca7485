#include "fleet/service/roster.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "fleet/protocol/text.hpp"

namespace fleet {
namespace {

using coordination::Node;
using coordination::Outcome;

/// What has been read so far.
struct Reading {
  std::function<void(Outcome, Roster)> done;
  std::size_t missing = 0;
  Outcome outcome = Outcome::done;
  Roster roster;

  void read(const std::string& id, Outcome got, const Node& node) {
    if (got == Outcome::done) try {
        roster[id] = entry_from(node.value);
      } catch (const Unreadable&) {  // a person removes it
      }
    else if (got != Outcome::no_node)
      outcome = got;
    if (--missing == 0) done(outcome, std::move(roster));
  }
};

}  // namespace

void read_roster(coordination::Session& session, const Paths& paths,
                 std::function<void(Outcome, Roster)> done) {
  session.children(paths.roster(), nullptr,
                   [&session, paths, done = std::move(done)](Outcome outcome,
                                                             const std::vector<std::string>& ids) {
                     if (outcome != Outcome::done || ids.empty()) return done(outcome, {});
                     const auto reading = std::make_shared<Reading>();
                     reading->done = done;
                     reading->missing = ids.size();
                     for (const std::string& id : ids)
                       session.get(paths.entry(id), nullptr,
                                   [reading, id](Outcome got, const Node& entry) {
                                     reading->read(id, got, entry);
                                   });
                   });
}

}  // namespace fleet
