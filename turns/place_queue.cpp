#include "turns/place_queue.hpp"

#include <tuple>

namespace turns {
namespace {

// With fewer places none is kept for those who have none: a client alone would have half of them.
constexpr std::size_t kKeepsOne = 3;
constexpr std::size_t kPlaceTurns = 4;  // the last of them goes by time

}  // namespace

bool PlaceQueue::HasFewer::operator()(const Client* one, const Client* other) const {
  return std::tie(one->has, one->last) < std::tie(other->has, other->last);
}

bool PlaceQueue::has_room(std::size_t has) const {
  const std::size_t kept = has > 0 && places_ >= kKeepsOne ? 1 : 0;
  return taken_ + kept < places_;
}

/// Where several wait, the place that is kept would never be one of theirs that has something: it
/// is not kept in a turn that goes by time.
PlaceQueue::Client* PlaceQueue::candidate() const {
  if (by_places_.empty()) return nullptr;
  if (by_time_.size() > 1 && (turns_ + 1) % kPlaceTurns == 0)
    return taken_ < places_ ? *by_time_.begin() : nullptr;
  Client* first = *by_places_.begin();
  return has_room(first->has) ? first : nullptr;
}

bool PlaceQueue::must_wait(const void* client) const {
  if (has_next()) return true;
  const auto found = clients_.find(client);
  if (found == clients_.end()) return !has_room(0);
  return !found->second.entries.empty() || !has_room(found->second.has);
}

void PlaceQueue::begin_waiting(Client& client) {
  by_places_.insert(&client);
  by_time_.insert(&client);
}

/// No two clients of these sets have the same moment, and one that is in none has none of theirs.
void PlaceQueue::stop_waiting(Client& client) {
  by_places_.erase(&client);
  by_time_.erase(&client);
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
  client.last = ++moment_;
  begin_waiting(client);
}

/// Its entries or places are others now; it is in none of the sets.
void PlaceQueue::settle(Client& client) {
  if (!client.entries.empty())
    begin_waiting(client);
  else if (client.has == 0)
    clients_.erase(client.name);
}

void PlaceQueue::remove(Entry& entry) {
  Client& client = *static_cast<Client*>(entry.client_);
  stop_waiting(client);
  entry.unlink();
  entry.client_ = nullptr;
  --count_;
  settle(client);
}

Entry* PlaceQueue::next() {
  Client* client = candidate();
  if (client == nullptr) return nullptr;
  stop_waiting(*client);
  Entry& entry = client->entries.front();
  entry.unlink();
  entry.client_ = nullptr;
  --count_;
  ++turns_;
  client->last = ++moment_;
  settle(*client);
  return &entry;
}

void PlaceQueue::take(const void* name) {
  Client& client = clients_[name];
  client.name = name;
  stop_waiting(client);
  client.last = ++moment_;
  ++client.has;
  ++taken_;
  settle(client);
}

void PlaceQueue::give_back(const void* name, bool aside) {
  Client& client = clients_.at(name);
  stop_waiting(client);
  --client.has;
  if (!aside) --taken_;
  settle(client);
}

}  // namespace turns
