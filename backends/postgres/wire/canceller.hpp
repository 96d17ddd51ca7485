#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/postgres/wire/connection.hpp"
#include "backends/postgres/wire/lifetime.hpp"
#include "backends/postgres/wire/task.hpp"

namespace backends::postgres {

/// Asks a server to end what some of its processes are doing, over a connection that is made for
/// that and closed afterwards: statements of the pool's connections may wait for a lock that such a
/// process holds, and what is sent after them would wait with them. At most one connection at a
/// time. Lives on its pool's worker.
class Canceller {
 public:
  /// `unreachable`: told of each process that could not be asked so, never from inside `cancel`.
  Canceller(boost::asio::io_context& loop, Connection::Options options, std::uint64_t& round_trips,
            std::function<void(int backend)> unreachable);
  ~Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  void cancel(int backend);

 private:
  void changed();
  Detached ask();
  void give_up();
  void done();

  boost::asio::io_context& loop_;
  Connection::Options options_;
  std::uint64_t& round_trips_;
  std::function<void(int)> unreachable_;
  std::vector<int> due_;
  std::unique_ptr<Connection> connection_;
  Lifetime lifetime_;
};

}  // namespace backends::postgres
