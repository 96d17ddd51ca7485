#pragma once

#include <chrono>
#include <coroutine>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/dns/resolver.hpp"
#include "backends/postgres/wire/canceller.hpp"
#include "backends/postgres/wire/connection.hpp"
#include "backends/postgres/wire/task.hpp"

namespace backends::postgres {

struct PoolOptions {
  std::string url;
  std::shared_ptr<dns::Resolver>
      resolver;                           ///< of names in it; null: libpq looks them up, and blocks
  std::size_t point_connections = 4;      ///< pipelined, for statements that stand alone
  std::size_t exclusive_connections = 4;  ///< at most; for transactions and streams
  std::size_t waiting_max = 1'000;        ///< that wait for an exclusive one
  std::chrono::milliseconds connect_limit{3'000};
  std::chrono::milliseconds point_limit{
      0};  ///< of a pipelined statement without an options.timeout; 0: none
  std::chrono::milliseconds turn{2};  ///< of a connection, for what its server has sent
  /// For so long a vnode's requests follow one that went to another connection than its own, where
  /// it is answered by then, or waits for a lock.
  std::chrono::milliseconds astray{1'000};
  std::chrono::milliseconds retry_min{50};
  std::chrono::milliseconds retry_max{10'000};
  std::chrono::milliseconds idle_limit{60'000};  ///< an exclusive one that is not needed closes
  std::size_t listeners_max = 64;                ///< each has a connection besides
  budget::Account* memory = nullptr;  ///< what connections keep counts there; null: nowhere
  /// Told of each connection that ended because its answers were not those that were due.
  std::function<void(const std::string& what)> out_of_step;
};

/// One worker's connections to one shard's server. Those for points are always kept up; those for
/// exclusive use are made when wanted. Where role or server allow no more, those for points make
/// room, down to one. Poolers that keep a session's server for it will do; others are refused by
/// name. Lives on that worker.
class Pool {
 public:
  Pool(boost::asio::io_context& loop, PoolOptions options);
  ~Pool();

  /// The connection for that affinity: the same while it is up and moves, so that requests of one
  /// vnode keep their order. Those that went to another one are followed for a second, as long as
  /// it carries some. Null: none is up.
  Connection* point(std::uint32_t affinity);

  /// Returned at the end of its life. A connection that may be in the middle of a transaction is
  /// closed by the lease's owner.
  class Lease {
   public:
    Lease() = default;
    Lease(Pool* pool, std::size_t slot) : pool_(pool), slot_(slot) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), slot_(other.slot_) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(slot_, other.slot_);
      return *this;
    }
    ~Lease();
    explicit operator bool() const { return pool_ != nullptr; }
    Connection& operator*() const;
    Connection* operator->() const { return &**this; }

   private:
    Pool* pool_ = nullptr;
    std::size_t slot_ = 0;
  };

  /// `co_await pool.exclusive()`: a lease of a connection that is up; empty: none can be had.
  /// `stream`: a client may hold it up for as long as it likes, so that streams leave one to the
  /// others. `given_up`: whether nobody waits any more; asked by `drop_given_up`.
  class Claim;
  Claim exclusive(bool stream, const bool* given_up = nullptr);
  /// Those whose claims nobody waits for get an empty lease. By way of the loop, once a turn.
  void drop_given_up();
  /// Streams that wait for a lease, since others have all.
  [[nodiscard]] std::size_t streams_waiting() const;
  /// Called when a connection for points takes statements again, or is made, or lost.
  void on_points_changed(std::function<void()> changed) { points_changed_ = std::move(changed); }

  /// `co_await pool.tried()`: until a connection for points is up, each of them has failed once, or
  /// the pool ends.
  class Tried;
  Tried tried();

  /// All connections that nobody uses exclusively are made anew, to whichever host takes writes
  /// now.
  void renew(const std::string& why);
  /// Asks the server to end what one of its processes is doing; as well as it can. 0: none.
  void cancel_statement(int backend);

  [[nodiscard]] boost::asio::io_context& loop() { return loop_; }
  [[nodiscard]] const PoolOptions& options() const { return options_; }
  /// For connections that are not the pool's: how many listen, and where their round trips count.
  [[nodiscard]] std::size_t& listening() { return listening_; }
  [[nodiscard]] std::uint64_t& counted() { return round_trips_; }
  [[nodiscard]] Connection::Options connection_options(Connection::Mode mode);
  [[nodiscard]] bool healthy() const;
  [[nodiscard]] std::size_t up() const;
  [[nodiscard]] std::string address() const;
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// Connections so far that ended because their answers were not those that were due.
  [[nodiscard]] std::uint64_t out_of_step() const { return out_of_step_; }
  /// Asked of the server so far, answered or not.
  [[nodiscard]] std::uint64_t round_trips() const { return round_trips_; }

 private:
  struct Slot {
    std::unique_ptr<Connection> connection;
    std::unique_ptr<boost::asio::steady_timer> retry;
    std::chrono::milliseconds pause{0};
    bool leased = false, to_stream = false;
    std::chrono::steady_clock::time_point idle_since;
  };
  struct Waiting {
    std::coroutine_handle<> handle;
    Lease lease;
    bool stream = false;
    const bool* given_up = nullptr;
  };

  /// Where a vnode went that could not go to its own connection.
  struct Stray {
    std::size_t slot;
    std::chrono::steady_clock::time_point until;
  };

  void connect(Slot& slot, Connection::Mode mode);
  Detached cancel_over(Connection* connection, int backend);
  void point_changed(Slot& slot);
  Detached prove_sessions();
  void refuse_pooler();
  [[nodiscard]] bool shares_backend(const Connection& connection) const;
  void connect_later(Slot& slot, std::chrono::milliseconds pause);
  bool make_room();
  [[nodiscard]] bool points_tried() const;
  Connection* stray(std::uint32_t affinity);
  void remember_stray(std::uint32_t affinity, std::size_t slot);
  void tell_tried();
  void exclusive_changed();
  void give_back(std::size_t slot);
  void serve_waiting();
  void want_exclusive();
  bool lease_to(Waiting& waiting);
  [[nodiscard]] bool streams_may_have_more() const;
  void renew_one_grown();
  void fail_waiting();
  void watch_idle();

  boost::asio::io_context& loop_;
  PoolOptions options_;
  std::vector<NamedHost> hosts_;  // their names are looked up again when an answer expires
  std::vector<std::unique_ptr<Slot>> points_;
  std::unordered_map<std::uint32_t, Stray> strays_;
  std::vector<std::unique_ptr<Slot>> exclusives_;
  std::deque<Waiting*> waiting_;
  std::function<void()> points_changed_;
  bool dropping_ = false;
  std::vector<std::coroutine_handle<>> waiting_tried_;
  boost::asio::steady_timer idle_timer_;
  std::string problem_;
  /// Whether a pooler keeps a session's server for it. Nobody is served before that is known.
  enum class Pooler : std::uint8_t {
    none,
    asked,
    keeps_sessions,
    gives_them_away
  } pooler_ = Pooler::none;
  std::uint64_t random_ = 1;
  std::uint64_t round_trips_ = 0, out_of_step_ = 0;
  std::size_t listening_ = 0;
  std::unique_ptr<Canceller> canceller_;
  boost::asio::steady_timer room_timer_;
  std::size_t room_made_ = 0;  // times, for those who wait now
  /// Held weakly by calls that may run when the pool is gone: a timer that has run out is not taken
  /// back by its end.
  Lifetime lifetime_;
  bool ended_ = false;
};

class Pool::Claim {
 public:
  Claim(Pool& pool, bool stream, const bool* given_up) : pool_(pool) {
    waiting_.stream = stream;
    waiting_.given_up = given_up;
  }
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiting);
  Lease await_resume() { return std::move(waiting_.lease); }

 private:
  Pool& pool_;
  Waiting waiting_;
};

class Pool::Tried {
 public:
  explicit Tried(Pool& pool) : pool_(pool) {}
  bool await_ready() { return pool_.points_tried(); }
  void await_suspend(std::coroutine_handle<> waiting) { pool_.waiting_tried_.push_back(waiting); }
  void await_resume() {}

 private:
  Pool& pool_;
};

}  // namespace backends::postgres
