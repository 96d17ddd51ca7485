// A fleet's state written anew, where the service was lost or restored to an earlier day.
#include <algorithm>
#include <utility>

#include "fleet/operator/failed.hpp"
#include "fleet/operator/operator.hpp"
#include "fleet/protocol/text.hpp"
#include "fleet/service/found.hpp"
#include "fleet/service/history.hpp"

namespace fleet {
namespace {

using coordination::Create;
using coordination::Outcome;
using coordination::Remove;
using coordination::Set;

/// Of a step's name, which begins with it; 0: it has none.
std::uint64_t seq_of(const std::string& step) {
  std::uint64_t seq = 0;
  for (const char digit : step) {
    if (digit < '0' || digit > '9') break;
    seq = seq * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return seq;
}

}  // namespace

std::optional<std::vector<std::string>> Operator::names_if_there(const std::string& path) {
  if (!read(path)) return std::nullopt;
  return names(path);
}

Remains Operator::remains() {
  Remains found;
  const auto lacks = [&](const std::string& path) {
    found.problem += (found.problem.empty() ? "" : "; ") + path + " is missing";
  };
  // What is read after a write is as new as that.
  const Outcome asked = write({coordination::Check{Paths::parent(), coordination::kAnyVersion}});
  if (asked != Outcome::done && asked != Outcome::no_node) fail(Paths::parent(), asked);
  for (const auto& write : founding(paths_, {}, "")) {
    const std::string& path = std::get<Create>(write).path;
    if (const auto node = read(path))
      found.versions[path] = node->version;
    else
      lacks(path);
  }
  const auto state = read(paths_.state()), blocks = read(paths_.blocks());
  if (state) found.versions[paths_.state()] = state->version;
  if (blocks) found.versions[paths_.blocks()] = blocks->version;
  try {
    if (state) found.state = state_from(state->value);
    if (blocks) found.blocks = blocks_from(blocks->value);
  } catch (const Newer& error) {
    throw OperatorRefused(std::string(error.what()) + "; use a program of that version");
  } catch (const Unreadable& error) {
    found.problem += (found.problem.empty() ? "" : "; ") + std::string(error.what());
  }
  for (const std::string& step :
       names_if_there(paths_.history()).value_or(std::vector<std::string>()))
    found.highest_seq = std::max(found.highest_seq, seq_of(step));
  if (found.state) found.highest_seq = std::max(found.highest_seq, found.state->seq);
  for (const std::string& id : names_if_there(paths_.roster()).value_or(std::vector<std::string>()))
    if (const auto entry = read(paths_.entry(id))) {
      found.versions[paths_.entry(id)] = entry->version;
      found.members[id] = read_member(id, *entry);
    }
  return found;
}

/// All of it at once, so that no member sees a part; and only where nothing was written since.
void Operator::refound(const Remains& there, const Refounding& anew, const Geometry& geometry) {
  const Outcome parent = write({Create{Paths::parent(), "", false, false}});
  if (parent != Outcome::done && parent != Outcome::exists) fail(Paths::parent(), parent);
  std::vector<coordination::Write> writes;
  const auto put = [&](const std::string& path, const std::string& text) {
    const auto known = there.versions.find(path);
    if (known != there.versions.end())
      writes.emplace_back(Set{path, text, known->second});
    else
      writes.emplace_back(Create{path, text, false, false});
  };
  for (const auto& write : founding(paths_, {}, to_text(geometry))) {
    const auto& node = std::get<Create>(write);
    if (node.path == paths_.state())
      put(node.path, to_text(anew.state));
    else if (node.path == paths_.blocks())
      put(node.path, to_text(anew.blocks));
    else if (!there.versions.contains(node.path))
      writes.push_back(write);
  }
  for (const auto& [id, member] : there.members)
    if (!anew.members.contains(id))
      writes.emplace_back(Remove{paths_.entry(id), there.versions.at(paths_.entry(id))});
  for (const auto& [id, entry] : anew.members) put(paths_.entry(id), to_text(entry));
  writes.emplace_back(Create{paths_.step(anew.state.seq, anew.state.by),
                             step_of(anew.state, anew.note), false, false});
  const Outcome outcome = write(std::move(writes));
  if (outcome == Outcome::version_differs || outcome == Outcome::no_node ||
      outcome == Outcome::exists)
    throw OperatorError("the service has changed meanwhile; look again");
  if (outcome != Outcome::done) fail(paths_.root(), outcome, true);
}

}  // namespace fleet
