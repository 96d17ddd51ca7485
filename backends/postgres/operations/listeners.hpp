#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <boost/asio/io_context.hpp>

namespace backends::postgres {

/// What listens in this process, by the req_id of its RPC: an unlisten may come over any
/// connection, and so to any worker. Any thread.
class Listeners {
 public:
  using Stop = std::function<void()>;

  /// `stop` is called on `loop`, at most once, while the entry lives. Of equal ids the last counts.
  class Entry {
   public:
    Entry(Listeners& listeners, std::string id, boost::asio::io_context& loop, Stop stop);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Listeners& listeners_;
    std::string id_;
    std::shared_ptr<Stop> stop_;
  };

  /// From a worker's own loop; at once where the listener is on it too.
  void stop(const std::string& id, boost::asio::io_context& from);

 private:
  struct Listener {
    boost::asio::io_context* loop = nullptr;
    std::weak_ptr<Stop> stop;
  };
  std::mutex mutex_;
  std::map<std::string, Listener> listeners_;
};

}  // namespace backends::postgres
