#include "fleet/service/member_requests.hpp"

#include <utility>
#include <vector>

#include "fleet/protocol/overloaded.hpp"
#include "fleet/protocol/text.hpp"

namespace fleet {
namespace {

using coordination::Check;
using coordination::Create;
using coordination::kAnyVersion;
using coordination::Node;
using coordination::Outcome;
using coordination::Remove;
using coordination::Set;

}  // namespace

MemberRequests::MemberRequests(coordination::Session& session, Paths paths, std::string id,
                               std::string incarnation, Told told)
    : session_(session), paths_(std::move(paths)), id_(std::move(id)),
      incarnation_(std::move(incarnation)), told_(std::move(told)),
      nodes_(session, [this] { told_.changed(); }) {}

void MemberRequests::transact(std::vector<coordination::Write> writes) {
  session_.transact(std::move(writes), [this](Outcome outcome, std::size_t failed) {
    told_.outcome(outcome, failed);
  });
}

void MemberRequests::ask(const Request& request) {
  const std::string entry = paths_.entry(id_), state = paths_.state();
  std::visit(
      Overloaded{[&](const ask::Touch& asked) { touch(asked); }, [&](const ask::Look&) { look(); },
                 [&](const ask::WriteEntry& asked) {
                   transact({Set{entry, to_text(asked.entry), asked.version}});
                 },
                 [&](const ask::Join& asked) {
                   const std::string text = to_text(asked.entry);
                   coordination::Write write = Create{entry, text, false, false};
                   if (asked.version) write = Set{entry, text, *asked.version};
                   transact({Check{state, asked.state}, std::move(write)});
                 },
                 [&](const ask::Leave& asked) {
                   transact({Remove{entry, asked.entry}, Check{state, asked.state}});
                 },
                 [&](const ask::Acknowledge& asked) { acknowledge(to_text(asked.answer)); }},
      request);
}

/// Checks alone are a write, too (coordination/session.hpp).
void MemberRequests::touch(const ask::Touch& touch) {
  if (!touch.shows)
    return transact({touch.entry ? Check{paths_.entry(id_), *touch.entry}
                                 : Check{paths_.state(), kAnyVersion}});
  session_.get(paths_.live(id_), nullptr, [this, touch](Outcome outcome, const Node& live) {
    if (outcome == Outcome::done || outcome == Outcome::no_node)
      return show(touch, live, outcome == Outcome::done);
    told_.outcome(outcome, 1);
  });
}

/// A node of a former session may be there still, and vanish with that: it is made anew. Which
/// session it is of, its owner says.
void MemberRequests::show(const ask::Touch& touch, const Node& live, bool there) {
  const std::string path = paths_.live(id_);
  if (there && !touch.entry && live.value != incarnation_) return told_.outcome(Outcome::exists, 1);
  std::vector<coordination::Write> writes;
  if (touch.entry) writes.emplace_back(Check{paths_.entry(id_), *touch.entry});
  if (there && live.owner == session_.id()) {
    writes.emplace_back(Set{path, incarnation_, live.version});
  } else {
    if (there) writes.emplace_back(Remove{path, live.version});
    writes.emplace_back(Create{path, incarnation_, true, false});
  }
  transact(std::move(writes));
}

void MemberRequests::look() {
  nodes_.read({paths_.state(), paths_.blocks(), paths_.entry(id_), paths_.live(id_)},
              [this](Outcome outcome, const WatchedNodes::Nodes& nodes) {
                if (outcome != Outcome::done) return told_.outcome(outcome, 0);
                looked(nodes);
              });
}

void MemberRequests::looked(const WatchedNodes::Nodes& nodes) {
  const auto node = [&](const std::string& path) {
    const auto found = nodes.find(path);
    return found == nodes.end() ? nullptr : &found->second;
  };
  const Node *state = node(paths_.state()), *blocks = node(paths_.blocks());
  if (state == nullptr || blocks == nullptr) {
    told_.problem(paths_.what_is_missing(state != nullptr, blocks != nullptr));
    return told_.outcome(Outcome::unknown, 0);
  }
  Seen seen;
  try {
    seen.state = state_from(state->value);
    seen.version = state->version;
    seen.blocks = blocks_from(blocks->value);
    seen.blocks_version = blocks->version;
    if (const Node* entry = node(paths_.entry(id_))) {
      seen.entry = entry_from(entry->value);
      seen.entry_version = entry->version;
    }
    if (const Node* live = node(paths_.live(id_))) seen.lives = live->value;
  } catch (const Unreadable& failed) {
    if (dynamic_cast<const Newer*>(&failed) != nullptr) told_.newer();
    told_.problem(failed.what());
    return told_.outcome(Outcome::unknown, 0);
  }
  told_.seen(std::move(seen));
}

/// A retried answer is always the newest: versions don't matter.
void MemberRequests::acknowledge(const std::string& text) {
  session_.set({paths_.answer(id_), text, kAnyVersion}, [this, text](Outcome outcome) {
    if (outcome != Outcome::no_node) return told_.outcome(outcome, 0);
    session_.create({paths_.answer(id_), text, false, false},
                    [this](Outcome made) { told_.outcome(made, 0); });
  });
}

}  // namespace fleet
