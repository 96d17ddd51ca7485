#include "backends/postgres/wire/pool.hpp"

#include <algorithm>
#include <optional>

#include <boost/asio/post.hpp>

namespace backends::postgres {

namespace {

// A connection that has had a large message is made anew when it is idle, so long after the last
// one; where memory is short, at once.
constexpr std::chrono::seconds kGrownFor{10};
constexpr std::chrono::seconds kLooksAtMemory{1};

}  // namespace

using State = Connection::State;

Pool::Pool(boost::asio::io_context& loop, PoolOptions options)
    : loop_(loop), options_(std::move(options)), idle_timer_(loop),
      random_(reinterpret_cast<std::uintptr_t>(this) | 1u), room_timer_(loop) {
  if (options_.resolver != nullptr)
    for (const Host& host : named_hosts(options_.url))
      hosts_.push_back({host, options_.resolver->source(host.name, 0, false)});
  for (std::size_t i = 0; i < options_.point_connections; ++i)
    points_.push_back(std::make_unique<Slot>());
  for (std::size_t i = 0; i < options_.exclusive_connections; ++i)
    exclusives_.push_back(std::make_unique<Slot>());
  canceller_ = std::make_unique<Canceller>(
      loop_, connection_options(Connection::Mode::single), round_trips_,
      [this](int backend) { cancel_over(point(0), backend); });  // the server has no room: later
  for (const auto& slot : points_) connect(*slot, Connection::Mode::pipeline);
  watch_idle();
}

/// Those that wait are told before the connections go.
Pool::~Pool() {
  ended_ = true;
  fail_waiting();
  tell_tried();
  for (const auto& slot : points_) slot->connection.reset();
  for (const auto& slot : exclusives_) slot->connection.reset();
}

void Pool::connect(Slot& slot, Connection::Mode mode) {
  const auto changed = [this, &slot, mode] {
    if (mode == Connection::Mode::pipeline)
      point_changed(slot);
    else
      exclusive_changed();
  };
  slot.connection =
      std::make_unique<Connection>(loop_, connection_options(mode), round_trips_, changed);
  if (mode == Connection::Mode::pipeline)
    slot.connection->on_drained([this] {
      if (points_changed_) points_changed_();
    });
}

Connection::Options Pool::connection_options(Connection::Mode mode) {
  Connection::Options options;
  options.url = options_.url;
  options.hosts = hosts_;
  options.mode = mode;
  options.connect_limit = options_.connect_limit;
  options.turn = options_.turn;
  options.memory = options_.memory;
  options.out_of_step = lifetime_.guard([this](const std::string& what) {
    ++out_of_step_;
    if (options_.out_of_step) options_.out_of_step(what);
  });
  if (mode == Connection::Mode::pipeline) options.statement_limit = options_.point_limit;
  return options;
}

/// Tried again after a pause that doubles, give or take a quarter.
void Pool::point_changed(Slot& slot) {
  if (points_changed_ && !ended_)
    boost::asio::post(loop_, lifetime_.guard([this] { points_changed_(); }));
  if (slot.connection->state() == State::up) {
    slot.pause = std::chrono::milliseconds(0);
    if (slot.connection->pooled()) {
      prove_sessions();
    } else {
      pooler_ = Pooler::none;
      problem_.clear();
    }
    tell_tried();
    return;
  }
  if (slot.connection->state() != State::closed || ended_) return;
  problem_ = slot.connection->problem();
  slot.pause = std::min(options_.retry_max, std::max(options_.retry_min, slot.pause * 2));
  random_ = random_ * 6364136223846793005u + 1442695040888963407u;
  const auto pause = slot.pause * (75 + static_cast<int>(random_ >> 33) % 50) / 100;
  connect_later(slot, pause);
  tell_tried();
}

/// Not while room is being made for another.
void Pool::connect_later(Slot& slot, std::chrono::milliseconds pause) {
  slot.retry = std::make_unique<boost::asio::steady_timer>(loop_, pause);
  slot.retry->async_wait(lifetime_.guard([this, &slot](const boost::system::error_code& error) {
    if (error || ended_) return;
    if (room_made_ > 0)
      connect_later(slot, options_.retry_max);
    else
      connect(slot, Connection::Mode::pipeline);
  }));
}

/// A pooler that keeps sessions gives each of ours a server's process of its own, for as long as it
/// lives. Asked one after the other, sessions that are given away have another, or one of somebody
/// else's.
Detached Pool::prove_sessions() {
  static const Statement kBackend = once("SELECT pg_backend_pid()");
  if (pooler_ == Pooler::asked) co_return;
  pooler_ = Pooler::asked;
  const Lifetime::Watch watch = lifetime_.watch();
  bool given_away = false;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    Connection* connection = points_[i]->connection.get();
    if (connection->state() != State::up) continue;
    given_away = given_away || shares_backend(*connection);
    const int backend = connection->backend();
    const QueryResult result = co_await connection->run(kBackend, Parameters());
    if (watch.over()) co_return;
    if (!result.error && result.rows.string(0, 0) != std::to_string(backend)) given_away = true;
  }
  if (given_away) {
    refuse_pooler();
  } else {
    pooler_ = Pooler::keeps_sessions;
    problem_.clear();
    tell_tried();
  }
}

bool Pool::shares_backend(const Connection& connection) const {
  for (const auto* slots : {&points_, &exclusives_})
    for (const auto& slot : *slots)
      if (slot->connection != nullptr && slot->connection.get() != &connection &&
          slot->connection->state() == State::up &&
          slot->connection->backend() == connection.backend())
        return true;
  return false;
}

void Pool::refuse_pooler() {
  pooler_ = Pooler::gives_them_away;
  const std::string why =
      "a pooler stands before the database that gives a session's server away after each "
      "transaction: it must keep sessions (PgBouncer: pool_mode = session)";
  for (const auto& slot : points_) slot->connection->close(why);
  for (const auto& slot : exclusives_)
    if (!slot->leased && slot->connection != nullptr) slot->connection->close(why);
  problem_ = why;
  fail_waiting();
  tell_tried();
}

bool Pool::points_tried() const {
  const auto failed = [](const auto& slot) { return slot->pause.count() > 0; };
  return ended_ || healthy() || pooler_ == Pooler::gives_them_away ||
         std::all_of(points_.begin(), points_.end(), failed);
}

void Pool::tell_tried() {
  if (!points_tried()) return;
  for (const auto& each : std::exchange(waiting_tried_, {})) each.resume();
}

Pool::Tried Pool::tried() { return Tried(*this); }

/// The slot itself, or the next that is up. One where a statement waits for another's lock is
/// passed by, unless it carries requests of this vnode already: theirs stay in order, nobody else
/// waits.
Connection* Pool::point(std::uint32_t affinity) {
  if (ended_ || pooler_ == Pooler::asked || pooler_ == Pooler::gives_them_away) return nullptr;
  if (Connection* elsewhere = stray(affinity)) return elsewhere;
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const std::size_t at = (affinity + i) % points_.size();
    const Connection& connection = *points_[at]->connection;
    if (connection.state() != State::up) continue;
    const bool moves = !connection.stalled() || connection.carries(affinity);
    if (moves || !chosen) chosen = at;
    if (moves) break;
  }
  if (!chosen) return nullptr;
  if (*chosen != affinity % points_.size()) remember_stray(affinity, *chosen);
  return points_[*chosen]->connection.get();
}

/// The connection that carries requests of that vnode, though it is not its own, which was away or
/// waited. Null: there is none, or no more. A vnode that is always busy returns in the end, or all
/// would stay where they went while only one connection was up; those that still wait there by then
/// wait for a lock, where the server keeps the order.
Connection* Pool::stray(std::uint32_t affinity) {
  const auto found = strays_.find(affinity);
  if (found == strays_.end()) return nullptr;
  const auto [slot, until] = found->second;
  Connection& connection = *points_[slot]->connection;
  if (connection.state() == State::up && std::chrono::steady_clock::now() < until &&
      connection.carries(affinity))
    return &connection;
  strays_.erase(found);
  return nullptr;
}

/// Those that are carried no more go when there are many.
void Pool::remember_stray(std::uint32_t affinity, std::size_t slot) {
  constexpr std::size_t kMany = 1024;
  if (strays_.size() >= kMany)
    std::erase_if(strays_, [this](const auto& each) {
      return !points_[each.second.slot]->connection->carries(each.first);
    });
  strays_[affinity] = {slot, std::chrono::steady_clock::now() + options_.astray};
}

/// By way of the loop: one of the connections may be calling us.
void Pool::renew(const std::string& why) {
  boost::asio::post(loop_, lifetime_.guard([this, why] {
    if (ended_) return;
    for (const auto& slot : points_) slot->connection->close(why);
    for (const auto& slot : exclusives_)
      if (!slot->leased && slot->connection != nullptr) slot->connection->close(why);
  }));
}

/// Over an idle connection. Where there is none, statements may be waiting for a lock that this
/// very process holds, and it is asked over a connection of its own.
void Pool::cancel_statement(int backend) {
  if (backend == 0 || ended_) return;
  for (const auto& slot : points_)
    if (slot->connection->state() == State::up && slot->connection->idle()) {
      cancel_over(slot->connection.get(), backend);
      return;
    }
  canceller_->cancel(backend);
}

Detached Pool::cancel_over(Connection* connection, int backend) {
  static const Statement kCancel{"cancel", "SELECT pg_cancel_backend($1::integer)"};
  if (connection == nullptr) co_return;
  co_await connection->run(kCancel, parameters_of(std::to_string(backend)));
}

bool Pool::healthy() const {
  if (ended_ || pooler_ == Pooler::asked || pooler_ == Pooler::gives_them_away) return false;
  return std::any_of(points_.begin(), points_.end(),
                     [](const auto& slot) { return slot->connection->state() == State::up; });
}

std::size_t Pool::up() const {
  std::size_t count = 0;
  for (const auto* slots : {&points_, &exclusives_})
    for (const auto& slot : *slots)
      if (slot->connection != nullptr && slot->connection->state() == State::up) ++count;
  return count;
}

std::string Pool::address() const { return points_.front()->connection->address(); }

/// One more connection is made for those that wait, if there is a place.
void Pool::want_exclusive() {
  std::size_t connecting = 0;
  for (const auto& slot : exclusives_)
    if (slot->connection != nullptr && slot->connection->state() == State::connecting) ++connecting;
  for (const auto& slot : exclusives_) {
    if (connecting >= waiting_.size()) return;
    if (slot->leased || (slot->connection != nullptr && slot->connection->state() != State::closed))
      continue;
    connect(*slot, Connection::Mode::single);
    ++connecting;
  }
}

/// Role or server may allow no more of us: then the one that points use least makes room. It is
/// told nowhere why a server refuses a connection in a form that does not depend on its language.
bool Pool::make_room() {
  std::size_t up = 0;
  Slot* idle = nullptr;
  for (const auto& slot : points_) {
    if (slot->connection->state() != State::up) continue;
    ++up;
    if (slot->connection->idle()) idle = slot.get();
  }
  if (up < 2 || idle == nullptr || room_made_ >= points_.size()) {
    room_made_ = 0;
    return false;
  }
  ++room_made_;
  idle->pause = options_.retry_max;
  idle->connection->close("it makes room for another: " + problem_);
  constexpr std::chrono::milliseconds kServerNotices{100};
  room_timer_.expires_after(kServerNotices);
  room_timer_.async_wait(lifetime_.guard([this](const boost::system::error_code& error) {
    if (!error) want_exclusive();
  }));
  return true;
}

void Pool::exclusive_changed() {
  for (const auto& slot : exclusives_)
    if (slot->connection != nullptr && slot->connection->state() == State::up &&
        slot->connection->pooled() && shares_backend(*slot->connection))
      return refuse_pooler();
  serve_waiting();
  if (waiting_.empty()) room_made_ = 0;
  const bool hope = std::any_of(exclusives_.begin(), exclusives_.end(), [](const auto& slot) {
    return slot->leased ||
           (slot->connection != nullptr && slot->connection->state() != State::closed);
  });
  if (hope) return;
  for (const auto& slot : exclusives_)
    if (slot->connection != nullptr) problem_ = slot->connection->problem();
  if (!waiting_.empty() && make_room()) return;
  fail_waiting();
}

void Pool::fail_waiting() {
  std::deque<Waiting*> failed;
  failed.swap(waiting_);
  for (Waiting* each : failed) each->handle.resume();
}

/// By way of the loop: the lease may end inside what the connection itself is calling.
void Pool::give_back(std::size_t number) {
  Slot& slot = *exclusives_[number];
  slot.leased = false;
  slot.idle_since = std::chrono::steady_clock::now();
  if (ended_) return;
  boost::asio::post(loop_, lifetime_.guard([this] {
    serve_waiting();
    want_exclusive();
  }));
}

/// One at a time: the others serve meanwhile.
void Pool::renew_one_grown() {
  const bool pressed = options_.memory != nullptr && options_.memory->pressed();
  const auto long_ago =
      std::chrono::steady_clock::now() - (pressed ? std::chrono::seconds(0) : kGrownFor);
  for (const auto& slot : points_)
    if (slot->connection->state() == State::up && slot->connection->grown_until(long_ago))
      return slot->connection->close("it kept the memory of a large message");
  for (const auto& slot : exclusives_)
    if (!slot->leased && slot->connection != nullptr && slot->connection->state() == State::up &&
        slot->connection->grown_until(long_ago))
      return slot->connection.reset();
}

void Pool::watch_idle() {
  idle_timer_.expires_after(
      std::min<std::chrono::milliseconds>(options_.idle_limit / 4, kLooksAtMemory));
  idle_timer_.async_wait(lifetime_.guard([this](const boost::system::error_code& error) {
    if (error) return;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& slot : exclusives_)
      if (!slot->leased && slot->connection != nullptr && slot->connection->state() == State::up &&
          now - slot->idle_since > options_.idle_limit)
        slot->connection.reset();
    renew_one_grown();
    watch_idle();
  }));
}

}  // namespace backends::postgres
