#include "backends/postgres/operations/listeners.hpp"

#include <boost/asio/post.hpp>

namespace backends::postgres {

Listeners::Entry::Entry(Listeners& listeners, std::string id, boost::asio::io_context& loop,
                        Stop stop)
    : listeners_(listeners), id_(std::move(id)), stop_(std::make_shared<Stop>(std::move(stop))) {
  const std::scoped_lock lock(listeners_.mutex_);
  listeners_.listeners_[id_] = {&loop, stop_};
}

Listeners::Entry::~Entry() {
  const std::scoped_lock lock(listeners_.mutex_);
  const auto found = listeners_.listeners_.find(id_);
  if (found != listeners_.listeners_.end() && found->second.stop.lock() == stop_)
    listeners_.listeners_.erase(found);
}

/// The weak pointer is locked on the listener's own loop, where its entry ends: either it is still
/// there, or there is nothing to stop.
void Listeners::stop(const std::string& id, boost::asio::io_context& from) {
  Listener listener;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = listeners_.find(id);
    if (found == listeners_.end()) return;
    listener = found->second;
  }
  const auto stop_it = [weak = listener.stop] {
    if (const auto stop = weak.lock()) (*stop)();
  };
  if (listener.loop == &from)
    stop_it();
  else
    boost::asio::post(*listener.loop, stop_it);
}

}  // namespace backends::postgres
