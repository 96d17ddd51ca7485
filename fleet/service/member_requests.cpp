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

/// What has been read of a look so far.
struct MemberRequests::Looking {
  int missing = 4;
  Outcome outcome = Outcome::done;
  Node state, blocks, entry, live;
  bool has_entry = false, has_live = false;
};

MemberRequests::MemberRequests(coordination::Session& session, Paths paths, std::string id,
                               std::string incarnation, Told told)
    : session_(session), paths_(std::move(paths)), id_(std::move(id)),
      incarnation_(std::move(incarnation)), told_(std::move(told)) {}

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

/// One for each node: those that wait would only become more.
coordination::Session::Watch MemberRequests::watch(const std::string& path) {
  if (!watched_.insert(path).second) return nullptr;
  return [this, path] {
    watched_.erase(path);
    told_.changed();
  };
}

void MemberRequests::look() {
  auto looking = std::make_shared<Looking>();
  const auto read = [&](const std::string& path, bool watches, Node Looking::*into,
                        bool Looking::*there) {
    session_.get(path, watches ? watch(path) : nullptr,
                 [this, path, looking, into, there](Outcome outcome, Node node) {
                   const bool may_be_missing = there != nullptr && outcome == Outcome::no_node;
                   if (outcome != Outcome::done && !may_be_missing) looking->outcome = outcome;
                   // No watch waits where nothing was read.
                   if (outcome != Outcome::done && outcome != Outcome::no_node)
                     watched_.erase(path);
                   if (there != nullptr) (*looking).*there = outcome == Outcome::done;
                   (*looking).*into = std::move(node);
                   if (--looking->missing == 0) looked(looking);
                 });
  };
  // In the order of Seen: a session's reads are done in the order in which they were asked for.
  read(paths_.state(), true, &Looking::state, nullptr);
  read(paths_.blocks(), false, &Looking::blocks, nullptr);
  read(paths_.entry(id_), true, &Looking::entry, &Looking::has_entry);
  read(paths_.live(id_), false, &Looking::live, &Looking::has_live);
}

void MemberRequests::looked(const std::shared_ptr<Looking>& looking) {
  if (looking->outcome != Outcome::done) {
    if (looking->outcome == Outcome::no_node)
      told_.problem("there is no fleet at " + paths_.root());
    return told_.outcome(looking->outcome == Outcome::no_node ? Outcome::unknown : looking->outcome,
                         0);
  }
  Seen seen;
  try {
    seen.state = state_from(looking->state.value);
    seen.version = looking->state.version;
    seen.blocks = blocks_from(looking->blocks.value);
    seen.blocks_version = looking->blocks.version;
    if (looking->has_entry) seen.entry = entry_from(looking->entry.value);
    seen.entry_version = looking->entry.version;
    if (looking->has_live) seen.lives = looking->live.value;
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
