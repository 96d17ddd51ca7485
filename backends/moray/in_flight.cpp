#include "backends/moray/in_flight.hpp"

#include <utility>

#include "backends/moray/rpc_kind.hpp"

namespace backends::moray {
namespace {

constexpr std::size_t kRoom = 4;  // times what is in a table that is made anew

}  // namespace

bool InFlight::expects_prompt_answer(const Request& request) {
  return !request.stream && answered_promptly(request.rpc);
}

std::uint32_t InFlight::add(const Request& request, ReplySink& sink, std::uint64_t waited) {
  Entry entry;
  entry.sink = &sink;
  entry.waited = waited;
  entry.affinity = request.affinity;
  entry.prompt = expects_prompt_answer(request);
  entry.write = may_write(request.rpc);
  if (entry.prompt) ++prompt_;
  if (ordering_) count_write(entry);
  ++load_.requests;
  // A table that is full has been made anew often, under requests that come and go: one with much
  // room is not.
  if (entries_.size() >= entries_.max_load()) entries_.reserve(kRoom * (entries_.size() + 1));
  do {
    last_message_id_ = last_message_id_ == fast::kMessageIdMax ? 1 : last_message_id_ + 1;
  } while (!entries_.emplace(last_message_id_, entry).second);
  return last_message_id_;
}

const InFlight::Entry* InFlight::find(std::uint32_t message_id) const {
  const auto found = entries_.find(message_id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<InFlight::Entry> InFlight::remove(std::uint32_t message_id) {
  const auto found = entries_.find(message_id);
  if (found == entries_.end()) return std::nullopt;
  Entry entry = found->second;
  entries_.erase(found);
  forget(entry);
  return entry;
}

void InFlight::give_up(std::uint32_t message_id) {
  const auto found = entries_.find(message_id);
  if (found == entries_.end() || found->second.given_up) return;
  Entry& entry = found->second;
  forget_write(entry);
  entry.given_up = true;
  ++given_up_;
  ++load_.given_up;
  if (!std::exchange(entry.prompt, true)) ++prompt_;
}

bool InFlight::forget_read(std::uint32_t message_id) {
  const auto found = entries_.find(message_id);
  if (found == entries_.end() || found->second.write) return false;
  if (std::exchange(found->second.sink, nullptr) != nullptr) ++load_.unheard;
  return true;
}

void InFlight::mark_unsent(std::uint32_t message_id) {
  const auto found = entries_.find(message_id);
  if (found != entries_.end()) found->second.unsent = true;
}

InFlight::Entries InFlight::remove_all() {
  Entries left = std::exchange(entries_, {});
  for (auto& [message_id, entry] : left) forget(entry);
  return left;
}

void InFlight::order_writes() {
  if (std::exchange(ordering_, true)) return;
  for (auto& [message_id, entry] : entries_) count_write(entry);
}

void InFlight::count_write(Entry& entry) {
  if (!entry.write || entry.given_up || entry.ordered) return;
  entry.ordered = true;
  ++live_writes_[entry.affinity];
  ++load_.ordered_writes;
}

void InFlight::forget_write(Entry& entry) {
  if (!std::exchange(entry.ordered, false)) return;
  --load_.ordered_writes;
  const auto found = live_writes_.find(entry.affinity);
  if (--found->second == 0) live_writes_.erase(found);
}

void InFlight::forget(Entry& entry) {
  forget_write(entry);
  --load_.requests;
  if (entry.sink == nullptr) --load_.unheard;
  if (entry.prompt) --prompt_;
  if (!entry.given_up) return;
  --given_up_;
  --load_.given_up;
}

}  // namespace backends::moray
