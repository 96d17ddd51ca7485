#include "fleet/service/coordinator_requests.hpp"

#include <optional>
#include <utility>

#include "fleet/protocol/overloaded.hpp"
#include "fleet/protocol/text.hpp"
#include "fleet/service/history.hpp"

namespace fleet {
namespace {

using coordination::Node;
using coordination::Outcome;

}  // namespace

CoordinatorRequests::CoordinatorRequests(coordination::Session& session, Paths paths, Told told)
    : session_(session), paths_(std::move(paths)), told_(std::move(told)),
      nodes_(session, [this] { told_.changed(); }) {}

void CoordinatorRequests::ask(const CoordinatorRequest& request) {
  std::visit(
      Overloaded{[&](const ask::Touch&) {
                   session_.transact(
                       {coordination::Check{paths_.state(), coordination::kAnyVersion}},
                       [this](Outcome outcome, std::size_t) { told_.outcome(outcome); });
                 },
                 [&](const ask::Look&) { look(); }, [&](const ask::ReadRoster&) { read_roster(); },
                 [&](const ask::ReadAnswers& asked) { read_answers(asked.ids); },
                 [&](const ask::Write& asked) { write(asked); }},
      request);
}

void CoordinatorRequests::read(std::vector<std::string> paths, Read done) {
  if (paths.empty()) paths.push_back(paths_.root());  // so that nobody is told from inside
  nodes_.read(std::move(paths),
              [this, done = std::move(done)](Outcome outcome, const WatchedNodes::Nodes& nodes) {
                if (outcome != Outcome::done) return told_.outcome(outcome);
                done(nodes);
              });
}

template <typename Made, typename Make>
void CoordinatorRequests::make(const std::function<void(Made)>& tell, Make make) {
  std::optional<Made> made;
  try {
    made = make();
  } catch (const Unreadable& failed) {
    told_.problem(failed.what());
    return told_.outcome(Outcome::unknown);
  }
  tell(*std::move(made));
}

void CoordinatorRequests::look() {
  read({paths_.state(), paths_.blocks()}, [this](const std::map<std::string, Node>& nodes) {
    if (nodes.size() < 2) {
      told_.problem(
          paths_.what_is_missing(nodes.contains(paths_.state()), nodes.contains(paths_.blocks())));
      return told_.outcome(Outcome::unknown);
    }
    make(told_.seen, [&] {
      const Node &state = nodes.at(paths_.state()), &blocks = nodes.at(paths_.blocks());
      Seen seen;
      seen.state = state_from(state.value);
      seen.version = state.version;
      seen.blocks = blocks_from(blocks.value);
      seen.blocks_version = blocks.version;
      return seen;
    });
  });
}

void CoordinatorRequests::read_roster() {
  session_.children(
      paths_.roster(), nullptr, [this](Outcome outcome, const std::vector<std::string>& ids) {
        if (outcome != Outcome::done) return told_.outcome(outcome);
        std::vector<std::string> paths;
        for (const std::string& id : ids) paths.push_back(paths_.entry(id));
        read(std::move(paths), [this, ids](const std::map<std::string, Node>& nodes) {
          make(told_.roster, [&] {
            Roster roster;
            for (const std::string& id : ids)
              if (const auto found = nodes.find(paths_.entry(id)); found != nodes.end())
                roster[id] = entry_from(found->second.value);
            return roster;
          });
        });
      });
}

/// All as of one moment: a process that has started since it answered is seen.
void CoordinatorRequests::read_answers(const std::vector<std::string>& ids) {
  std::vector<std::string> paths;
  for (const std::string& id : ids) paths.push_back(paths_.answer(id));
  for (const std::string& id : ids) paths.push_back(paths_.entry(id));
  read(std::move(paths), [this, ids](const std::map<std::string, Node>& nodes) {
    make(told_.heard, [&] {
      std::map<std::string, Heard> all;
      for (const std::string& id : ids) {
        Heard& heard = all[id];
        if (const auto found = nodes.find(paths_.entry(id)); found != nodes.end())
          heard.entry = entry_from(found->second.value);
        if (const auto found = nodes.find(paths_.answer(id)); found != nodes.end())
          heard.answer = answer_from(found->second.value);
      }
      return all;
    });
  });
}

void CoordinatorRequests::write(const ask::Write& write) {
  std::vector<coordination::Write> writes{
      coordination::Set{paths_.state(), to_text(write.state), write.version},
      coordination::Create{paths_.step(write.state.seq, write.state.by),
                           step_of(write.state, write.note), false, false}};
  if (write.blocks)
    writes.emplace_back(
        coordination::Set{paths_.blocks(), to_text(*write.blocks), write.blocks_version});
  session_.transact(std::move(writes),
                    [this](Outcome outcome, std::size_t) { told_.outcome(outcome); });
}

}  // namespace fleet
