#include "coordination/memory_store.hpp"

#include <cassert>
#include <utility>

#include "coordination/memory_session.hpp"

namespace coordination {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// Whether `path` lies below `parent`, and not deeper than its children.
bool is_child(const std::string& path, const std::string& parent) {
  return path.size() > parent.size() + 1 && path.starts_with(parent) &&
         path[parent.size()] == '/' && path.find('/', parent.size() + 1) == std::string::npos;
}

Outcome version_outcome(const Node& node, std::int32_t version) {
  return version == kAnyVersion || version == node.version ? Outcome::done
                                                           : Outcome::version_differs;
}

}  // namespace

MemoryStore::~MemoryStore() { assert(sessions_.empty()); }

std::unique_ptr<Session> MemoryStore::connect() {
  return std::make_unique<MemorySession>(*this, ++last_session_);
}

void MemoryStore::cut(std::int64_t session) {
  if (const auto found = sessions_.find(session); found != sessions_.end())
    found->second->become(Session::State::connecting);
}

void MemoryStore::reconnect(std::int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  found->second->become(Session::State::connected);
}

void MemoryStore::expire(std::int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  MemorySession& expired = *found->second;
  end(session);
  expired.become(Session::State::expired);
}

void MemoryStore::lose_answer(std::int64_t session, bool done) {
  if (const auto found = sessions_.find(session); found != sessions_.end())
    found->second->lose_answer_ = done;
}

/// A session's nodes end with it.
void MemoryStore::end(std::int64_t session) {
  if (sessions_.erase(session) == 0) return;
  std::vector<std::string> gone;
  for (const auto& [path, node] : nodes_)
    if (node.owner == session) gone.push_back(path);
  for (const std::string& path : gone) change(Remove{path, kAnyVersion}, session);
}

bool MemoryStore::has_children(const std::string& path) const {
  const auto next = nodes_.upper_bound(path + "/");
  return next != nodes_.end() && next->first.starts_with(path + "/");
}

std::vector<std::string> MemoryStore::children_of(const std::string& path) const {
  std::vector<std::string> names;
  for (auto each = nodes_.upper_bound(path + "/");
       each != nodes_.end() && each->first.starts_with(path + "/"); ++each)
    if (is_child(each->first, path)) names.push_back(each->first.substr(path.size() + 1));
  return names;
}

Outcome MemoryStore::check(const Write& write) const {
  const auto found = [this](const std::string& path) {
    const auto node = nodes_.find(path);
    return node == nodes_.end() ? nullptr : &node->second;
  };
  return std::visit(
      Overloaded{[&](const Create& create) {
                   if (nodes_.contains(create.path)) return Outcome::exists;
                   const std::string parent = parent_of(create.path);
                   if (parent.empty()) return Outcome::done;
                   const Node* above = found(parent);
                   if (above == nullptr) return Outcome::no_node;
                   return above->owner != 0 ? Outcome::refused : Outcome::done;
                 },
                 [&](const Remove& remove) {
                   const Node* node = found(remove.path);
                   if (node == nullptr) return Outcome::no_node;
                   if (const Outcome outcome = version_outcome(*node, remove.version);
                       outcome != Outcome::done)
                     return outcome;
                   return has_children(remove.path) ? Outcome::has_children : Outcome::done;
                 },
                 [&](const auto& check_or_set) {
                   const Node* node = found(check_or_set.path);
                   return node == nullptr ? Outcome::no_node
                                          : version_outcome(*node, check_or_set.version);
                 }},
      write);
}

void MemoryStore::change(const Write& write, std::int64_t session) {
  std::visit(
      Overloaded{
          [](const Check&) {},
          [&](const Create& create) {
            nodes_[create.path] = {create.value, kFirstVersion, create.ephemeral ? session : 0};
            nodes_[create.path].created_ms = now_ms_;
            tell(create.path, false);
            tell(parent_of(create.path), true);
          },
          [&](const Set& set) {
            Node& node = nodes_[set.path];
            node.value = set.value;
            ++node.version;
            tell(set.path, false);
          },
          [&](const Remove& remove) {
            nodes_.erase(remove.path);
            tell(remove.path, false);
            tell(remove.path, true);
            tell(parent_of(remove.path), true);
          }},
      write);
}

/// Each request sees what the ones before it have done; where one fails, none of them was.
MemoryStore::Applied MemoryStore::apply(std::int64_t session, const std::vector<Write>& writes) {
  if (writes.size() > 1) {
    MemoryStore trial([](const std::function<void()>&) {});
    trial.nodes_ = nodes_;
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (const Outcome outcome = trial.check(writes[i]); outcome != Outcome::done)
        return {outcome, i};
      trial.change(writes[i], session);
    }
  } else if (const Outcome outcome = check(writes.front()); outcome != Outcome::done) {
    return {outcome, 0};
  }
  ++writes_;
  for (const Write& write : writes) change(write, session);
  return {};
}

void MemoryStore::tell(const std::string& path, bool children) {
  for (const auto& [id, session] : sessions_) session->tell(path, children);
}

}  // namespace coordination
