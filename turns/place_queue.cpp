#include "turns/place_queue.hpp"

#include <tuple>

namespace turns {
namespace {

// With fewer places none is kept for those who have none: a client alone would have half of them.
constexpr std::size_t kKeepsOne = 3;

}  // namespace

bool PlaceQueue::IsBefore::operator()(const Client* one, const Client* other) const {
  return std::tie(one->has, one->last) < std::tie(other->has, other->last);
}

bool PlaceQueue::has_room(std::size_t has) const {
  const std::size_t kept = has > 0 && places_ >= kKeepsOne ? 1 : 0;
  return taken_ + kept < places_;
}

bool PlaceQueue::must_wait(const void* client) const {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return !has_room(0);
  return !found->second.entries.empty() || !has_room(found->second.has);
}

void PlaceQueue::add(Entry& entry, const void* name, Entry::Clock::time_point now) {
  Client& client = clients_[name];
  client.name = name;
  entry.client_ = &client;
  entry.since_ = now;
  const bool first = client.entries.empty();
  client.entries.push_back(entry);
  ++count_;
  if (!first) return;
  client.last = ++turn_;
  waiting_.insert(&client);
}

/// Its entries or places have become fewer, or it has had a turn; it is out of `waiting_`.
void PlaceQueue::settle(Client& client) {
  if (!client.entries.empty())
    waiting_.insert(&client);
  else if (client.has == 0)
    clients_.erase(client.name);
}

void PlaceQueue::remove(Entry& entry) {
  Client& client = *static_cast<Client*>(entry.client_);
  waiting_.erase(&client);
  entry.unlink();
  entry.client_ = nullptr;
  --count_;
  settle(client);
}

bool PlaceQueue::has_next() const {
  return !waiting_.empty() && has_room((*waiting_.begin())->has);
}

Entry* PlaceQueue::next() {
  if (!has_next()) return nullptr;
  Client& client = **waiting_.begin();
  Entry& entry = client.entries.front();
  waiting_.erase(waiting_.begin());
  client.last = ++turn_;
  entry.unlink();
  entry.client_ = nullptr;
  --count_;
  settle(client);
  return &entry;
}

void PlaceQueue::take(const void* name) {
  Client& client = clients_[name];
  client.name = name;
  waiting_.erase(&client);
  client.last = ++turn_;
  ++client.has;
  ++taken_;
  settle(client);
}

void PlaceQueue::give_back(const void* name, bool aside) {
  Client& client = clients_.at(name);
  waiting_.erase(&client);
  --client.has;
  if (!aside) --taken_;
  settle(client);
}

}  // namespace turns
