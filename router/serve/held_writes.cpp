#include "router/serve/held_writes.hpp"

#include "router/serve/exchange.hpp"

namespace router {

bool HeldWrites::take_room(std::size_t bytes) {
  if (!bounds_.held_writes.take(1)) return false;
  if (!bounds_.held_bytes.take(bytes)) {
    bounds_.held_writes.give(1);
    return false;
  }
  ++count_;
  bytes_ += bytes;
  return true;
}

void HeldWrites::give_room(std::size_t bytes) {
  bounds_.held_writes.give(1);
  bounds_.held_bytes.give(bytes);
  --count_;
  bytes_ -= bytes;
}

void HeldWrites::add(Exchange& exchange) { queue_.push_back(exchange); }

void HeldWrites::remove(Exchange& exchange) { static_cast<HeldHook&>(exchange).unlink(); }

/// One that is sent may, by failing at once, end a client whose other writes wait here: they take
/// themselves out of `due`.
void HeldWrites::let_go() {
  Queue due;
  due.swap(queue_);
  while (!due.empty()) static_cast<Exchange&>(due.front()).go_on();
}

}  // namespace router
